// How many requests of a thread are in libuv's pool of threads, or wait for it. Node does not tell; but each
// asynchronous piece of crypto, zlib, files and names is an object of a native class, and all of these classes have one
// ancestor.
import { threadInspector } from './thread-inspector.ts';

/** A stream of zlib is the shortest way to the ancestor; making one asks nothing of the pool. */
const ancestor = `(() => {
  const stream = process.getBuiltinModule('node:zlib').createGzip();
  const found = Object.getPrototypeOf(Object.getPrototypeOf(stream._handle));
  stream.destroy();
  return found;
})()`;

/**
 * Among the objects are the prototypes of the classes, and of each class the empty one that V8 copies. A zlib stream
 * has a request only while it has a chunk in hand.
 */
const countRequests = `function () {
  let requests = 0;
  for (const each of this) {
    if (Object.hasOwn(each, 'constructor') || Object.keys(each).length === 0) continue;
    const name = each.constructor?.name ?? '';
    if (/Job$|^FSReq|^Get(?:Addr|Name)InfoReqWrap$/.test(name) || (/^(?:Zlib|Brotli)/.test(name) && each.buffer)) requests += 1;
  }
  return requests;
}`;

/** The thread collects its garbage for it. Undefined where it does not answer in time. */
export function poolRequests(threadId: number, withinMs: number): Promise<number | undefined> {
  return threadInspector.countObjects(threadId, { prototype: ancestor, count: countRequests }, withinMs);
}
