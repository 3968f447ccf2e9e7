// Reads a tensor's memory by DLPack's exchange functions, without compiling against PyTorch.
//
// The structures are laid out as in the DLPack specification, https://dmlc.github.io/dlpack, C
// exchange API. The memory belongs to PyTorch, so everything is checked. Anything other than a plain
// tensor of the expected form is left to Python.

#pragma once

#include "python.h"

#include <cstdint>
#include <vector>

#include "values.h"

namespace neuroact {

struct DlTensor {
  void* data;
  int32_t device_type, device_id;
  int32_t dimensions;
  uint8_t code, bits;
  uint16_t lanes;
  int64_t* shape;
  int64_t* strides;  // in values; null if contiguous
  uint64_t byte_offset;
};

struct DlExchange {
  uint32_t major, minor;
  const DlExchange* older;
  void* others[3];
  int (*read)(void* object, DlTensor* tensor);  // borrows; returns -1 with an error set
};

constexpr int32_t ON_CPU = 1;
constexpr uint32_t MAJOR = 1;

// What is used of PyTorch, looked up once.
struct Torch {
  PyTypeObject *tensor = nullptr, *parameter = nullptr;
  PyObject *untyped_storage = nullptr, *storage_offset = nullptr, *is_neg = nullptr;
  PyObject *requires_grad = nullptr, *base = nullptr;
  int (*read)(void*, DlTensor*) = nullptr;
};

inline Torch torch;

inline PyObject* attribute(const char* module, const char* outer, const char* inner = nullptr) {
  Owned from(PyImport_ImportModule(module));
  Owned found(from ? PyObject_GetAttrString(from.get(), outer) : nullptr);
  if (inner == nullptr || !found) return found.release();
  return PyObject_GetAttrString(found.get(), inner);
}

// Imports torch. False, with an error set, if it does not have these functions.
inline bool find_torch() {
  if (torch.read != nullptr) return true;
  Owned capsule(attribute("torch", "Tensor", "__dlpack_c_exchange_api__"));
  if (!capsule) return false;
  auto* api = static_cast<const DlExchange*>(
      PyCapsule_GetPointer(capsule.get(), "dlpack_exchange_api"));
  if (api == nullptr) return false;
  while (api != nullptr && api->major != MAJOR) api = api->older;
  if (api == nullptr || api->read == nullptr) {
    PyErr_SetString(PyExc_ImportError, "expected version 1 of DLPack's C exchange API in torch");
    return false;
  }
  Torch found;
  found.tensor = reinterpret_cast<PyTypeObject*>(attribute("torch", "Tensor"));
  found.parameter = reinterpret_cast<PyTypeObject*>(attribute("torch.nn", "Parameter"));
  found.untyped_storage = attribute("torch", "Tensor", "untyped_storage");
  found.storage_offset = attribute("torch", "Tensor", "storage_offset");
  found.is_neg = attribute("torch", "Tensor", "is_neg");
  found.requires_grad = attribute("torch", "Tensor", "requires_grad");
  found.base = attribute("torch", "Tensor", "_base");
  if (PyErr_Occurred()) return false;  // once in a process at most: what was found stays
  found.read = api->read;
  capsule.release();  // keeps the functions
  torch = found;
  return true;
}

inline bool is_tensor(PyObject* object) {
  const PyTypeObject* type = Py_TYPE(object);
  return type == torch.tensor || type == torch.parameter;
}

inline PyObject* ask(PyObject* method, PyObject* tensor) {
  return PyObject_Vectorcall(method, &tensor, 1, nullptr);
}

// Whether a tensor's property is that object; false, with an error set, if it cannot be read. Calls
// the property itself: a look-up by name may search all classes, depending on Python's cache.
inline bool has(PyObject* tensor, PyObject* property, PyObject* object) {
  const auto get =
      reinterpret_cast<descrgetfunc>(PyType_GetSlot(Py_TYPE(property), Py_tp_descr_get));
  Owned found(get(property, tensor, reinterpret_cast<PyObject*>(Py_TYPE(tensor))));
  return found.get() == object;
}

using Shape = std::vector<int64_t>;

// Reads a tuple of whole numbers above 0. False, with an error set, if it is something else or
// would have too many values.
inline bool read_shape(PyObject* from, Shape& shape, int64_t& numel) {
  constexpr int64_t MOST = int64_t(1) << 40;
  const Py_ssize_t dimensions = PyTuple_Size(from);
  numel = 1;
  for (Py_ssize_t at = 0; at < dimensions; ++at) {
    const int64_t size = PyLong_AsLongLong(PyTuple_GetItem(from, at));
    if (size == -1 && PyErr_Occurred()) return false;
    if (size < 1 || size > MOST / numel) break;
    numel *= size;
    shape.push_back(size);
  }
  if (dimensions > 0 && shape.size() == size_t(dimensions)) return true;
  PyErr_Format(PyExc_ValueError, "shape: expected [batch, *neurons], none of them 0, came %R", from);
  return false;
}

inline bool is_contiguous(const DlTensor& tensor) {
  if (tensor.strides == nullptr) return true;
  int64_t stride = 1;
  for (int32_t at = tensor.dimensions - 1; at >= 0; --at) {
    if (tensor.shape[at] != 1 && tensor.strides[at] != stride) return false;
    stride *= tensor.shape[at];
  }
  return true;
}

// DTYPES if the dtype is not one that is read here.
inline Dtype dtype_of(const DlTensor& tensor) {
  const auto is = [&](int code, int bits) { return tensor.code == code && tensor.bits == bits; };
  constexpr int SIGNED = 0, UNSIGNED = 1, FLOAT = 2, BFLOAT = 4, TRUTH = 6;
  if (tensor.lanes != 1) return DTYPES;
  if (is(FLOAT, 32)) return FLOAT32;
  if (is(FLOAT, 64)) return FLOAT64;
  if (is(FLOAT, 16)) return FLOAT16;
  if (is(BFLOAT, 16)) return BFLOAT16;
  if (is(TRUTH, 8)) return BOOL;
  if (is(SIGNED, 8) || is(UNSIGNED, 8)) return INT8;
  if (is(SIGNED, 16) || is(UNSIGNED, 16)) return INT16;
  if (is(SIGNED, 32) || is(UNSIGNED, 32)) return INT32;
  if (is(SIGNED, 64) || is(UNSIGNED, 64)) return INT64;
  return DTYPES;
}

struct Values {
  const void* data;
  const Reader* reader;
  int64_t numel = 0;
};

// Whether a tensor's memory is on the CPU. Sets no error. Runs no other code, so the result holds
// until other code runs.
inline bool find_tensor(PyObject* object, DlTensor& tensor) {
  if (torch.read(object, &tensor) == 0) return tensor.device_type == ON_CPU;
  PyErr_Clear();
  return false;
}

inline bool is_of(const DlTensor& tensor, const Shape& shape) {
  bool same = size_t(tensor.dimensions) == shape.size();
  for (size_t at = 0; same && at < shape.size(); ++at) same = tensor.shape[at] == shape[at];
  return same;
}

// Whether a tensor's values can be read from memory as they are, and are of this shape, if one is
// given. As `find_tensor`.
inline bool find_values(PyObject* object, const Shape* shape, Values& values) {
  DlTensor tensor;
  if (!find_tensor(object, tensor) || (shape != nullptr && !is_of(tensor, *shape))) return false;
  const Dtype dtype = dtype_of(tensor);
  if (dtype == DTYPES || tensor.data == nullptr || !is_contiguous(tensor)) return false;
  int64_t numel = 1;
  for (int32_t at = 0; at < tensor.dimensions; ++at) numel *= tensor.shape[at];
  values = {static_cast<const char*>(tensor.data) + tensor.byte_offset, &reader_of(dtype), numel};
  return reinterpret_cast<uintptr_t>(values.data) % uintptr_t(values.reader->width) == 0;
}

// Whether the values' sign is not in memory: PyTorch negates the imaginary part of a conjugate when
// it reads it. Such a tensor is contiguous only if it has a single value.
inline bool is_negated(PyObject* object) {
  Owned answer(ask(torch.is_neg, object));
  return answer.get() != Py_False;
}

inline bool offset_of(PyObject* tensor, int64_t& offset) {
  Owned found(ask(torch.storage_offset, tensor));
  if (!found) return false;
  offset = PyLong_AsLongLong(found.get());
  return offset >= 0;
}

// Whether the tensor's memory is still there. A view of freed memory has its offset as its address.
inline bool has_memory(PyObject* object, const Values& values) {
  int64_t offset;
  return offset_of(object, offset) &&
      uint64_t(offset) * uint64_t(values.reader->width) != reinterpret_cast<uintptr_t>(values.data);
}

// As `find_values`, for any object. Other threads may run before the result is found, not after.
inline bool read_values(PyObject* object, const Shape* shape, Values& values) {
  if (!is_tensor(object) || !find_values(object, shape, values)) return false;
  // A small address may be such an offset, or a real address of a program at low addresses.
  const bool is_low = uint64_t(reinterpret_cast<uintptr_t>(values.data)) >> 32 == 0;
  if (!is_low && values.numel > 1) return true;
  const bool fit =
      (!is_low || has_memory(object, values)) && (values.numel > 1 || !is_negated(object));
  PyErr_Clear();
  return fit && find_values(object, shape, values);
}

}  // namespace neuroact
