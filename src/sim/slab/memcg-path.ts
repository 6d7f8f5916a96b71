/**
 * Paths of cgroups as traces name them: `/`, or names joined and begun by `/`. They come from strangers, so they are taken
 * only as the kernel itself would write them.
 */

/** Levels below the root. Real trees have about ten. */
export const MAX_MEMCG_DEPTH = 64;
/** Longest name of a directory. */
const MAX_NAME = 255;

/** What is wrong with a path, and what to do; undefined for one that a kernel may have. */
export function memcgPathProblem(path: string): { expectation: string; remedy: string } | undefined {
  if (path === '/') return undefined;
  if (!path.startsWith('/'))
    return { expectation: 'is not the path of a cgroup from the root', remedy: 'begin it with /' };
  const names = path.slice(1).split('/', MAX_MEMCG_DEPTH + 1);
  if (names.length > MAX_MEMCG_DEPTH)
    return {
      expectation: `is more than ${MAX_MEMCG_DEPTH} levels deep`,
      remedy: 'name a cgroup above it',
    };
  for (const name of names) {
    if (name === '')
      return {
        expectation: 'has an empty name in it',
        remedy: 'write one / between names and none at the end',
      };
    if (name === '.' || name === '..')
      return { expectation: `has ${name} in it`, remedy: 'give the path that it stands for' };
    if (name.length > MAX_NAME)
      return {
        expectation: `has a name of more than ${MAX_NAME} characters in it`,
        remedy: 'give it a shorter one',
      };
  }
  return undefined;
}

/** Of a path that has no problem. */
export function parentPath(path: string): string {
  return path.slice(0, Math.max(1, path.lastIndexOf('/')));
}
