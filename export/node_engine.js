// Runs one ONNX file, node_engine.js FILE PACKAGE, with onnxruntime-node or the WebAssembly of
// onnxruntime-web: a line of JSON in (tensors in base64, how often to run), a line out.
const ort = require(process.argv[3]);
const readline = require("readline");

const arrays = { float32: Float32Array, int32: Int32Array };

function toTensor({ type, dims, data }) {
  const bytes = Buffer.from(data, "base64");
  const values = new arrays[type](bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
  return new ort.Tensor(type, values, dims);
}

function toJson({ dims, data }) {
  return { dims, data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64") };
}

async function main() {
  const session = await ort.InferenceSession.create(process.argv[2], { logSeverityLevel: 3 });
  // Only now: lines that come while nobody iterates are lost.
  for await (const line of readline.createInterface({ input: process.stdin })) {
    try {
      const { feeds, repeat } = JSON.parse(line);
      const tensors = Object.fromEntries(Object.entries(feeds).map(([name, t]) => [name, toTensor(t)]));
      const ms = [];
      let outputs;
      for (let i = 0; i < repeat; i++) {
        const begin = performance.now();
        outputs = await session.run(tensors);
        ms.push(performance.now() - begin);
      }
      const named = Object.fromEntries(Object.entries(outputs).map(([name, t]) => [name, toJson(t)]));
      console.log(JSON.stringify({ outputs: named, ms }));
    } catch (error) {
      console.log(JSON.stringify({ error: String(error.message) }));
    }
  }
}

main().catch((error) => console.log(JSON.stringify({ error: String(error.message) })));
