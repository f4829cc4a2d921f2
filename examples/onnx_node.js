// Run model.onnx or model.step.onnx in Node.js: npm install onnxruntime-node
const fs = require("node:fs");
const ort = require("onnxruntime-node");

async function main() {
  const { inputs, metadata } = await import("./metadata.mjs");
  const file = fs.readFileSync(process.argv[2]);
  const session = await ort.InferenceSession.create(file);
  const about = metadata(file);
  console.log(about.info?.summary ?? "a model without metadata");
  const outputs = await session.run(inputs(ort, session, about));
  for (const name of session.outputNames) {
    console.log(name, `[${outputs[name].dims}]`, ...outputs[name].data.slice(0, 5));
  }
}

main();
