import type { VerifyResult } from './verify-result.js';

/** Whether nothing at all differs: PFNs, failures and every checkpoint. */
export function agreesFully(result: VerifyResult): boolean {
  return (
    result.matched === result.compared &&
    result.failures.matched === result.failures.kernel &&
    result.checkpoints.every((checkpoint) => checkpoint.equal === checkpoint.compared)
  );
}
