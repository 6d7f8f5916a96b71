/** Where a request comes from. Each may interrupt those before it on its CPU. model: slub 3.2 */
export const Context = { task: 0, softirq: 1, hardirq: 2, nmi: 3 } as const;
export type Context = (typeof Context)[keyof typeof Context];
