export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

export function millions(value) {
  return `${(value / 1e6).toFixed(1)} M`;
}
