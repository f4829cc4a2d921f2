// Runs one ONNX file, node_engine.js FILE PACKAGE, with onnxruntime-node or the WebAssembly of
// onnxruntime-web: a question as a line of JSON in, its answer as a line out (see answer.mjs).
const ort = require(process.argv[3]);
const readline = require("readline");

async function main() {
  const { answer } = await import("./answer.mjs");
  const session = await ort.InferenceSession.create(process.argv[2], { logSeverityLevel: 3 });
  const call = (feeds) =>
    session.run(
      Object.fromEntries(Object.entries(feeds).map(([n, t]) => [n, new ort.Tensor(t.type, t.data, t.dims)])));
  // Only now: lines that come while nobody iterates are lost.
  for await (const line of readline.createInterface({ input: process.stdin })) {
    try {
      console.log(JSON.stringify(await answer(call, JSON.parse(line))));
    } catch (error) {
      console.log(JSON.stringify({ error: String(error.message) }));
    }
  }
}

main().catch((error) => console.log(JSON.stringify({ error: String(error.message) })));
