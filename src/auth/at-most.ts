/**
 * So many entries of an LRUCache at most. Told with its `max`, it would make room for all of them at once: for 100,000 that
 * is a tenth of the time in which the daemon starts.
 */
export function atMost(count: number): { readonly maxSize: number; readonly sizeCalculation: () => number } {
  return { maxSize: count, sizeCalculation: () => 1 }
}
