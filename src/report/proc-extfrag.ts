import { right } from './printf.js';
import { zoneLabel } from './proc-buddyinfo.js';
import type { RunResult } from './run-result.js';

/** C's `%0Nd`: the sign counts as one of the digits, so -5 is `-05`. */
function zeroPadded(value: number, width: number): string {
  const digits = String(Math.abs(value));
  return value < 0 ? `-${digits.padStart(width - 1, '0')}` : digits.padStart(width, '0');
}

/** A figure in 1/1000 as the kernel prints it: both parts with their own sign. model: page-allocator 6.6 */
export function kernelThousandths(thousandths: number, wholeWidth: number): string {
  const whole = Math.trunc(thousandths / 1000);
  return `${right(whole, wholeWidth)}.${zeroPadded(thousandths % 1000, 3)}`;
}

/** debugfs `extfrag/unusable_index`, to the last space. model: page-allocator 6.5 */
export function renderUnusableIndex(result: RunResult): string {
  return result.zones
    .map(
      (zone) =>
        `${zoneLabel(zone)}${zone.unusable_index.map((value) => `${kernelThousandths(value, 0)} `).join('')}\n`,
    )
    .join('');
}

/** debugfs `extfrag/extfrag_index`, to the last space. model: page-allocator 6.6 */
export function renderExtfragIndex(result: RunResult): string {
  return result.zones
    .map(
      (zone) =>
        `${zoneLabel(zone)}${zone.extfrag_index.map((value) => `${kernelThousandths(value, 2)} `).join('')}\n`,
    )
    .join('');
}
