// What Python asks of a model in JavaScript, in Node.js and in a browser: a question with tensors
// {type, dims, data in base64} by name, an answer with float32 ones and the milliseconds of each call.
const arrays = { float32: Float32Array, int32: Int32Array };

function decoded({ type, dims, data }) {
  return { type, dims, data: new arrays[type](Uint8Array.from(atob(data), (c) => c.charCodeAt(0)).buffer) };
}

function encoded({ dims, data }) {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const text = [];
  for (let i = 0; i < bytes.length; i += 8192) text.push(String.fromCharCode(...bytes.subarray(i, i + 8192)));
  return { dims, data: btoa(text.join("")) };
}

const byName = (named, change) =>
  Object.fromEntries(Object.entries(named).map(([name, tensor]) => [name, change(tensor, name)]));

// Chunk after chunk of one sequence, the new states into the next call: all it puts out, along axis 1.
async function streamed(call, feeds, { states, next, chunk }, ms) {
  const time = Math.min(...Object.values(feeds).map((t) => t.dims[1]));
  if (time < chunk) throw new Error(`a sequence of ${time} steps; a chunk has ${chunk}`);
  const pieces = {};
  states = byName(states, decoded);
  for (let begin = 0; begin + chunk <= time; begin += chunk) {
    const part = byName(feeds, ({ type, dims, data }) => {
      const size = data.length / dims[1];
      return {
        type,
        dims: [1, chunk, ...dims.slice(2)],
        data: data.slice(begin * size, (begin + chunk) * size),
      };
    });
    const start = performance.now();
    const found = await call({ ...part, ...states });
    ms.push(performance.now() - start);
    states = byName(states, ({ type }, name) => {
      const { dims, data } = found[name + next];
      return { type, dims, data };
    });
    for (const [name, tensor] of Object.entries(found)) {
      if (!(name.endsWith(next) && name.slice(0, -next.length) in states)) (pieces[name] ??= []).push(tensor);
    }
  }
  return byName(pieces, (tensors) => {
    const data = new Float32Array(tensors.reduce((sum, t) => sum + t.data.length, 0));
    let at = 0;
    for (const t of tensors) {
      data.set(t.data, at);
      at += t.data.length;
    }
    return { dims: [1, tensors.reduce((sum, t) => sum + t.dims[1], 0), ...tensors[0].dims.slice(2)], data };
  });
}

// `call`: a promise of {dims, data} by name for {type, dims, data} by name. A question is {feeds, repeat}, or
// {feeds, stream: {states, next, chunk}}: `states` at the beginning, whose new values are named with `next`.
export async function answer(call, { feeds, repeat, stream }) {
  const ms = [];
  const tensors = byName(feeds, decoded);
  let outputs;
  if (stream) {
    outputs = await streamed(call, tensors, stream, ms);
  } else {
    for (let i = 0; i < repeat; i++) {
      const begin = performance.now();
      outputs = await call(tensors);
      ms.push(performance.now() - begin);
    }
  }
  return { outputs: byName(outputs, encoded), ms };
}
