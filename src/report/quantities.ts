/**
 * Numbers as people read them: thousands separated, units always.
 *
 * Written by hand and not with the locale functions, so that output is the same on every machine.
 */

/** 1234567 -> `1,234,567` */
export function thousands(value: number): string {
  const digits = String(Math.abs(Math.round(value)));
  const grouped = digits.replace(/\B(?=(\d{3})+$)/g, ',');
  return value < 0 ? `-${grouped}` : grouped;
}

const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** 8480563200 -> `7.9 GiB`; three digits are enough to compare by eye */
export function bytes(value: number): string {
  let scaled = value;
  let unit = 0;
  while (scaled >= 1024 && unit < BYTE_UNITS.length - 1) {
    scaled /= 1024;
    unit++;
  }
  const digits = unit === 0 || scaled >= 100 || Number.isInteger(scaled) ? 0 : scaled >= 10 ? 1 : 2;
  return `${thousandsFixed(scaled, digits)} ${BYTE_UNITS[unit]}`;
}

function thousandsFixed(value: number, digits: number): string {
  const [whole = '0', fraction] = value.toFixed(digits).split('.');
  return fraction === undefined ? thousands(Number(whole)) : `${thousands(Number(whole))}.${fraction}`;
}

const PAGE_BYTES = 4096;

export function pagesAsBytes(pages: number): string {
  return bytes(pages * PAGE_BYTES);
}

/** ns as `2.56 s`, `31.2 ms`, `417 ns`; long times in s with thousands separated */
export function duration(ns: number): string {
  if (ns >= 1e9) return `${thousandsFixed(ns / 1e9, ns >= 1e11 ? 0 : 2)} s`;
  if (ns >= 1e6) return `${(ns / 1e6).toFixed(1)} ms`;
  if (ns >= 1e3) return `${(ns / 1e3).toFixed(1)} us`;
  return `${Math.round(ns)} ns`;
}

/** events per second as `5.4 M/s`, `312 k/s` */
export function rate(perSecond: number): string {
  if (perSecond >= 1e6) return `${(perSecond / 1e6).toFixed(1)} M/s`;
  if (perSecond >= 1e3) return `${Math.round(perSecond / 1e3)} k/s`;
  return `${Math.round(perSecond)} /s`;
}

/**
 * A share in percent with one digit; rounded toward the middle, so that 100 % means all and 0 % means none.
 */
export function percent(part: number, whole: number): string {
  if (whole === 0) return '';
  if (part === whole) return '100 %';
  if (part === 0) return '0 %';
  const rounded = Math.min(99.9, Math.max(0.1, Math.round((part / whole) * 1000) / 10));
  // Near either end one digit hides what matters: 99.98 % of a million is 200 pages.
  const share = (part / whole) * 100;
  if (share > 99.9) return `${(Math.floor(share * 1000) / 1000).toFixed(3)} %`;
  return `${rounded.toFixed(1)} %`;
}

/** 1/1000 as the kernel means it, for tables of ours: 357 -> `0.36`; -1000 (a chunk is there) -> `` */
export function indexText(thousandths: number): string {
  return thousandths === -1000 ? '' : (thousandths / 1000).toFixed(2);
}

/** `1 CPU`, `2 CPUs` */
export function plural(value: number, noun: string): string {
  return `${thousands(value)} ${noun}${value === 1 ? '' : 's'}`;
}
