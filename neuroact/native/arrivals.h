// Counts what arrives at a layer: values of magnitude one, other events, and magnitudes.

#pragma once

#include <limits>

#include "tensors.h"

namespace neuroact {

// The counts of a tensor of int64 on the CPU; null if it is none.
inline int64_t* counts_of(PyObject* object, int64_t& numel) {
  Values found;
  DlTensor tensor;
  if (!read_values(object, nullptr, found) || !find_tensor(object, tensor)) return nullptr;
  constexpr int SIGNED = 0;
  if (tensor.code != SIGNED || tensor.bits != 64) return nullptr;
  numel = found.numel;
  return static_cast<int64_t*>(const_cast<void*>(found.data));
}

inline PyObject* add_arrivals(PyObject*, PyObject* const* args, Py_ssize_t count) {
  if (count != 2) return PyErr_Format(PyExc_TypeError, "expected 2 arguments, came %zd", count);
  if (!find_torch()) return nullptr;
  constexpr int64_t PARTS = 3, REST = 3;
  Values values;
  int64_t numel = 0;
  // The values last: nothing else may run between this and the counting.
  int64_t* counts = counts_of(args[1], numel);
  if (counts == nullptr || numel <= REST || (numel - REST) % PARTS != 0) {
    PyErr_SetString(PyExc_ValueError, "counts: expected int64 [3 * elements + 3] on the CPU");
    return nullptr;
  }
  const int64_t elements = (numel - REST) / PARTS;
  if (!read_values(args[0], nullptr, values) || values.numel == 0) Py_RETURN_FALSE;
  const int64_t batch = values.numel / elements;
  if (batch * elements != values.numel || batch > std::numeric_limits<int32_t>::max()) {
    Py_RETURN_FALSE;
  }
  const Arrived into = {
      counts, counts + elements, counts + 2 * elements, counts + 3 * elements};
  return PyBool_FromLong(values.reader->arrive(values.data, into, batch, elements));
}

}  // namespace neuroact
