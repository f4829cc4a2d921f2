// What an .onnx file says of itself: the entry "lstm_apps" of its metadata_props, which onnxruntime's
// JavaScript does not give. The file is a Protocol Buffers message, ModelProto: fields one after the other,
// each a key (number and kind) and a value; metadata_props is field 14, pairs of key (1) and value (2).
function* fields(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(value);
    }
  };
  while (at < bytes.length) {
    const key = varint();
    const kind = key & 7;
    const size = kind === 0 ? (varint(), 0) : kind === 1 ? 8 : kind === 5 ? 4 : varint();
    yield [key >>> 3, bytes.subarray(at, (at += size))];
  }
}

export function metadata(bytes) {
  const text = new TextDecoder();
  for (const [number, entry] of fields(bytes)) {
    if (number !== 14) continue;
    const { 1: key, 2: value } = Object.fromEntries(fields(entry));
    if (text.decode(key) === "lstm_apps") return JSON.parse(text.decode(value));
  }
  return {};
}

// Inputs for a file's session: what a state begins with is 0, token numbers are 1, all else is 0.5. An
// axis with a name in place of a size is open: the first is the batch, another the time.
export function inputs(ort, session, { info = {} }) {
  const found = {};
  for (const { name, shape, type } of session.inputMetadata) {
    const time = info.chunk ?? info.inputs?.[name]?.[1] ?? 1;
    const dims = shape.map((d, axis) => (typeof d === "number" ? d : axis === 1 ? time : 1));
    const size = dims.reduce((a, b) => a * b, 1);
    const isState = session.outputNames.includes(`${name}_next`);
    const data = type === "int32" ? new Int32Array(size).fill(1) : new Float32Array(size).fill(isState ? 0 : 0.5);
    found[name] = new ort.Tensor(type, data, dims);
  }
  return found;
}
