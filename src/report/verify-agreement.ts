import type { VerifyResult, VerifySlab } from './verify-result.js';

/** Whether nothing at all differs: PFNs, failures and every checkpoint. */
export function agreesFully(result: VerifyResult): boolean {
  return (
    result.matched === result.compared &&
    result.failures.matched === result.failures.kernel &&
    pagesAgree(result.slab) &&
    result.checkpoints.every((checkpoint) => checkpoint.equal === checkpoint.compared)
  );
}

/** The operations of a slab run are in `matched`; those on the model's own pages are not. */
function pagesAgree(slab: VerifySlab | null): boolean {
  if (slab?.pages == null) return true;
  return Object.values(slab.pages).every(({ compared, equal }) => compared === equal);
}
