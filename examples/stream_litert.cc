// Run a step model (exported with step=True) sample by sample from C++, with nothing but the library that
// `pip install ai-edge-litert` brings:
//   D=$(python3 -c 'import ai_edge_litert; print(ai_edge_litert.__path__[0])')
//   c++ -std=c++17 stream_litert.cc $D/libLiteRt.so -Wl,-rpath,$D -o stream && ./stream model.step.tflite
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

// The package has no headers. These are the parts of LiteRT 2's C API in use; with its source at hand,
// include litert/c/litert_compiled_model.h and its neighbours instead.
using Handle = void*;
struct TensorType {
  int32_t element;
  uint32_t rank;
  int32_t shape[8];
  uint32_t strides[8];
};
extern "C" {
int LiteRtCreateEnvironment(int, const void*, Handle*);
int LiteRtCreateModelFromFile(Handle environment, const char*, Handle*);
int LiteRtCreateOptions(Handle*);
int LiteRtSetOptionsHardwareAccelerators(Handle options, int);
int LiteRtCreateCompiledModel(Handle environment, Handle model, Handle options, Handle*);
int LiteRtGetModelSignature(Handle model, size_t, Handle*);
int LiteRtGetNumSignatureInputs(Handle signature, size_t*);
int LiteRtGetNumSignatureOutputs(Handle signature, size_t*);
int LiteRtGetSignatureInputName(Handle signature, size_t, const char**);
int LiteRtGetSignatureOutputName(Handle signature, size_t, const char**);
int LiteRtGetSignatureInputTensorByIndex(Handle signature, size_t, Handle*);
int LiteRtGetSignatureOutputTensorByIndex(Handle signature, size_t, Handle*);
int LiteRtGetRankedTensorType(Handle tensor, TensorType*);
int LiteRtGetCompiledModelInputBufferRequirements(Handle, size_t, size_t, Handle*);
int LiteRtGetCompiledModelOutputBufferRequirements(Handle, size_t, size_t, Handle*);
int LiteRtCreateManagedTensorBufferFromRequirements(Handle environment, const TensorType*, Handle, Handle*);
int LiteRtGetTensorBufferPackedSize(Handle buffer, size_t*);
int LiteRtLockTensorBuffer(Handle buffer, void**, int write);
int LiteRtUnlockTensorBuffer(Handle buffer);
int LiteRtRunCompiledModel(Handle, size_t, size_t inputs, Handle*, size_t outputs, Handle*);
}

static void check(int status) {
  if (status == 0) return;
  std::fprintf(stderr, "LiteRT says %d\n", status);
  std::exit(1);
}

static void fill(Handle buffer, float value) {
  void* data;
  size_t bytes;
  check(LiteRtGetTensorBufferPackedSize(buffer, &bytes));
  check(LiteRtLockTensorBuffer(buffer, &data, 1));
  std::fill_n(static_cast<float*>(data), bytes / sizeof(float), value);
  check(LiteRtUnlockTensorBuffer(buffer));
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  Handle environment, model, options, compiled, signature, tensor, needs;
  check(LiteRtCreateEnvironment(0, nullptr, &environment));
  check(LiteRtCreateModelFromFile(environment, argv[1], &model));
  check(LiteRtCreateOptions(&options));
  check(LiteRtSetOptionsHardwareAccelerators(options, 1));  // the CPU
  check(LiteRtCreateCompiledModel(environment, model, options, &compiled));
  check(LiteRtGetModelSignature(model, 0, &signature));

  size_t number;
  const char* name;
  TensorType type;
  check(LiteRtGetNumSignatureInputs(signature, &number));
  std::vector<Handle> inputs(number);
  std::vector<std::string> input_names(number);
  for (size_t n = 0; n < number; ++n) {
    check(LiteRtGetSignatureInputName(signature, n, &name));
    input_names[n] = name;
    check(LiteRtGetSignatureInputTensorByIndex(signature, n, &tensor));
    check(LiteRtGetRankedTensorType(tensor, &type));
    check(LiteRtGetCompiledModelInputBufferRequirements(compiled, 0, n, &needs));
    check(LiteRtCreateManagedTensorBufferFromRequirements(environment, &type, needs, &inputs[n]));
    fill(inputs[n], 0.0f);  // where states begin
  }
  check(LiteRtGetNumSignatureOutputs(signature, &number));
  std::vector<Handle> outputs(number);
  std::vector<std::string> output_names(number);
  for (size_t n = 0; n < number; ++n) {
    check(LiteRtGetSignatureOutputName(signature, n, &name));
    output_names[n] = name;
    check(LiteRtGetSignatureOutputTensorByIndex(signature, n, &tensor));
    check(LiteRtGetRankedTensorType(tensor, &type));
    check(LiteRtGetCompiledModelOutputBufferRequirements(compiled, 0, n, &needs));
    check(LiteRtCreateManagedTensorBufferFromRequirements(environment, &type, needs, &outputs[n]));
  }
  auto next = [&](size_t input) {  // where an input's next value comes out; not found: it is no state
    auto found = std::find(output_names.begin(), output_names.end(), input_names[input] + "_next");
    return static_cast<size_t>(found - output_names.begin());
  };

  for (int step = 0; step < 5; ++step) {
    for (size_t n = 0; n < inputs.size(); ++n)
      if (next(n) == outputs.size()) fill(inputs[n], static_cast<float>(step));  // your sample goes here
    check(LiteRtRunCompiledModel(compiled, 0, inputs.size(), inputs.data(), outputs.size(), outputs.data()));
    for (size_t n = 0; n < inputs.size(); ++n)
      if (next(n) < outputs.size()) std::swap(inputs[n], outputs[next(n)]);
    std::printf("%d", step);
    for (size_t n = 0; n < outputs.size(); ++n) {
      const std::string& output = output_names[n];
      if (output.size() > 5 && output.compare(output.size() - 5, 5, "_next") == 0) continue;
      void* data;
      size_t bytes;
      check(LiteRtGetTensorBufferPackedSize(outputs[n], &bytes));
      check(LiteRtLockTensorBuffer(outputs[n], &data, 0));
      std::printf(" %s", output.c_str());
      for (size_t i = 0; i < std::min<size_t>(bytes / sizeof(float), 5); ++i)
        std::printf(" %.5f", static_cast<float*>(data)[i]);
      check(LiteRtUnlockTensorBuffer(outputs[n]));
    }
    std::printf("\n");
  }
}  // the system takes back what was created
