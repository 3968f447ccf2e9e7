// The part of Python's C API that is the same in every version from 3.11 on.

#pragma once

// From 3.12 on one library serves all later versions; hatch_build.py sets the version.
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#include <exception>
#include <new>
#include <utility>

namespace neuroact {

// A reference that is released at the end of its scope.
class Owned {
 public:
  explicit Owned(PyObject* object = nullptr) : object_(object) {}
  Owned(Owned&& other) noexcept : object_(other.release()) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  ~Owned() { Py_XDECREF(object_); }

  PyObject* get() const { return object_; }
  explicit operator bool() const { return object_ != nullptr; }
  PyObject* release() { return std::exchange(object_, nullptr); }

 private:
  PyObject* object_;
};

inline void replace(PyObject*& field, PyObject* by) {
  Py_XINCREF(by);
  PyObject* before = std::exchange(field, by);
  Py_XDECREF(before);  // last, since it may run any code
}

// Turns C++ exceptions into Python's: none may pass through Python's own code.
template <typename Function>
PyObject* guarded(Function function) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
  } catch (const std::exception& cause) {
    PyErr_SetString(PyExc_RuntimeError, cause.what());
    return nullptr;
  }
}

using Fast = PyObject* (*)(PyObject*, PyObject* const*, Py_ssize_t);

template <Fast function>
PyObject* guard(PyObject* object, PyObject* const* args, Py_ssize_t count) {
  return guarded([=] { return function(object, args, count); });
}

inline void free_object(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  reinterpret_cast<freefunc>(PyType_GetSlot(type, Py_tp_free))(object);
  Py_DECREF(type);
}

template <typename Object>
Object* allocate(PyTypeObject* type) {
  return reinterpret_cast<Object*>(PyType_GenericAlloc(type, 0));
}

}  // namespace neuroact
