// A tool that keeps a processor core busy. It runs in a pool of threads; one call that overruns its deadline is ended
// alone. Input and output are checked against the schemas of plugin.json.
import { defineTool } from 'nagaya/sdk';

/** The odd numbers below the limit, one byte each: 1 where it is composite. */
function sieveOdds(below) {
  const composite = new Uint8Array(below >>> 1);
  for (let odd = 3; odd * odd < below; odd += 2) {
    if (composite[odd >>> 1] === 1) continue;
    for (let multiple = odd * odd; multiple < below; multiple += odd * 2) composite[multiple >>> 1] = 1;
  }
  return composite;
}

const primes = defineTool(({ below, list }) => {
  const composite = sieveOdds(below);
  // Index 0 is the number 1; it stands in for the only even prime.
  const primeAt = (index) => (index === 0 ? 2 : index * 2 + 1);
  let count = 0;
  for (let index = 0; index < composite.length; index += 1) if (composite[index] === 0 && primeAt(index) < below) count += 1;

  const largest = [];
  for (let index = composite.length - 1; index >= 0 && largest.length < Math.max(1, list ?? 1); index -= 1) {
    if (composite[index] === 0 && primeAt(index) < below) largest.push(primeAt(index));
  }
  return { count, largest: largest[0] ?? null, ...(list === undefined ? {} : { list: largest.slice(0, list).reverse() }) };
});

export const tools = { primes };
