// Run model.tflite from C++ with LiteRT (TensorFlow Lite). Not compiled here: the headers are no package.
//   c++ -std=c++17 litert.cc -I<litert headers> -ltensorflowlite -o litert && ./litert model.tflite
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>

#include "tensorflow/lite/interpreter.h"
#include "tensorflow/lite/kernels/register.h"
#include "tensorflow/lite/model_builder.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto model = tflite::FlatBufferModel::BuildFromFile(argv[1]);
  if (!model) return 2;
  tflite::ops::builtin::BuiltinOpResolver resolver;
  std::unique_ptr<tflite::Interpreter> interpreter;
  tflite::InterpreterBuilder(*model, resolver)(&interpreter);
  if (!interpreter || interpreter->AllocateTensors() != kTfLiteOk) return 1;
  for (int tensor : interpreter->inputs()) {
    const size_t bytes = interpreter->tensor(tensor)->bytes;
    if (interpreter->tensor(tensor)->type == kTfLiteInt32) {  // token numbers
      std::fill_n(interpreter->typed_tensor<int32_t>(tensor), bytes / sizeof(int32_t), 1);
    } else {
      std::fill_n(interpreter->typed_tensor<float>(tensor), bytes / sizeof(float), 0.5f);
    }
  }
  if (interpreter->Invoke() != kTfLiteOk) return 1;  // calls do not see each other
  for (int tensor : interpreter->outputs()) {
    std::printf("%s %f\n", interpreter->tensor(tensor)->name, interpreter->typed_tensor<float>(tensor)[0]);
  }
}
