// Run model.onnx in Node.js: npm install onnxruntime-node
const ort = require("onnxruntime-node");

async function main() {
  const session = await ort.InferenceSession.create(process.argv[2]);
  const inputs = {};
  for (const { name, shape, type } of session.inputMetadata) {
    const dims = shape.map((d) => (typeof d === "number" ? d : 1)); // a named axis is free
    const size = dims.reduce((a, b) => a * b, 1);
    const data = type === "int32" ? new Int32Array(size).fill(1) : new Float32Array(size).fill(0.5);
    inputs[name] = new ort.Tensor(type, data, dims);
  }
  const outputs = await session.run(inputs);
  for (const name of session.outputNames) {
    console.log(name, outputs[name].dims, outputs[name].data.slice(0, 5));
  }
}

main();
