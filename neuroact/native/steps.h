// Reads and counts the steps of a recorded layer without Python.
//
// Nearly every call of a layer is the next step of its sequence: the values have the same shape as
// before, and the call starts from the state that the last call left. `Steps` counts such a call
// after it has run. It leaves all others to Python, which would have counted this one just the same.

#pragma once

#include "python.h"

#include <vector>

#include "fillers.h"

namespace neuroact {

// Recognises a tensor that comes again. A weak reference belongs to one object alone, even if
// another object is made at the same address later.
struct Mark {
  PyObject *tensor = nullptr, *storage = nullptr;  // weak references, owned
  int64_t offset = 0;

  void release() {
    Py_CLEAR(tensor);
    Py_CLEAR(storage);
  }
};

using Marks = std::vector<Mark>;
using Shapes = std::vector<Shape>;

inline void release(Marks& marks) {
  for (Mark& mark : marks) mark.release();
  marks.clear();
}

// Whether the weak reference is to that object. The caller holds the object, so releasing it here
// runs no code. A reference to a freed object returns None, so None, an absent state, is excluded.
inline bool is_of(PyObject* reference, PyObject* object) {
  if (object == Py_None) return false;
  Owned alive(PyObject_CallNoArgs(reference));
  return alive.get() == object;
}

inline bool make_mark(PyObject* tensor, Mark& mark) {
  Owned storage(ask(torch.untyped_storage, tensor));
  if (!storage || !offset_of(tensor, mark.offset)) return false;
  mark.tensor = PyWeakref_NewRef(tensor, nullptr);
  mark.storage = mark.tensor ? PyWeakref_NewRef(storage.get(), nullptr) : nullptr;
  return mark.storage != nullptr;
}

inline bool has_shape(PyObject* object, const Shape& shape) {
  DlTensor tensor;
  return is_tensor(object) && torch.read(object, &tensor) == 0 &&
      std::equal(shape.begin(), shape.end(), tensor.shape, tensor.shape + tensor.dimensions);
}

// Whether a tensor is the one that was left, or another one at the same place of the same storage,
// such as a detached one.
inline bool is_on(const Mark& mark, PyObject* given, const Shape& shape) {
  if (!has_shape(given, shape)) return false;
  if (is_of(mark.tensor, given)) return true;
  int64_t offset;
  Owned storage(ask(torch.untyped_storage, given));
  return storage && is_of(mark.storage, storage.get()) && offset_of(given, offset) &&
      offset == mark.offset;
}

// The items of a state that is a tuple or a list; null, without an error, if it is neither.
inline Owned items_of(PyObject* state) {
  if (PyTuple_Check(state)) return Owned(Py_NewRef(state));
  if (PyList_Check(state)) return Owned(PyList_AsTuple(state));
  return Owned();
}

// Makes marks of a state's tensors. False if they could not be recognised later, or have other
// shapes than expected; an error may be set.
inline bool make_marks(PyObject* items, const Shapes& shapes, Marks& marks) {
  const Py_ssize_t count = PyTuple_Size(items);
  if (count != Py_ssize_t(shapes.size())) return false;
  for (Py_ssize_t at = 0; at < count; ++at) {
    if (!has_shape(PyTuple_GetItem(items, at), shapes[size_t(at)])) return false;
  }
  for (Py_ssize_t at = 0; at < count; ++at) {  // after all shapes, since this may run any code
    marks.emplace_back();
    if (!make_mark(PyTuple_GetItem(items, at), marks.back())) return false;
  }
  return true;
}

// False if there are no tensors, or one is not a plain tensor; an error may be set.
inline bool find_shapes(PyObject* items, Shapes& shapes) {
  for (Py_ssize_t at = 0; at < PyTuple_Size(items); ++at) {
    PyObject* object = PyTuple_GetItem(items, at);
    DlTensor tensor;
    if (!is_tensor(object) || torch.read(object, &tensor) != 0) return false;
    shapes.emplace_back(tensor.shape, tensor.shape + tensor.dimensions);
  }
  return !shapes.empty();
}

// Clears an error that was raised while looking at a state: Python then reads the call. False if the
// error must be passed on, such as a KeyboardInterrupt.
inline bool clear_error() {
  if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception)) return false;
  PyErr_Clear();
  return true;
}

struct Steps {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  PyObject* finish;  // (args, kwargs, output, given): reads a call in Python
  PyObject* values;  // (output) -> Tensor
  PyObject* left;    // (output) -> state
  PyObject* target;  // Bits or Sums; null if stopped
  PyObject* full;    // (): empties the target
  int64_t ready;         // steps that may still come before Python reads one
  uint64_t turn;         // changes whenever the marks, the target or the pattern do
  unsigned long thread;  // the thread that called `begin`
  Marks marks, spare;    // those of the last state; memory for the next ones
  Shapes shapes;         // the shape of each tensor of the state
};

inline PyTypeObject* steps_type = nullptr;

// Whether a call was given the state that the last call left, by the rule of `StateTrace`. If the
// objects are the same, nothing else is compared. An error may be set.
inline bool continues(const Steps& self, PyObject* given) {
  const size_t count = self.marks.size();
  if (PyTuple_Size(given) != Py_ssize_t(count)) return false;
  bool same = true;
  for (size_t at = 0; same && at < count; ++at) {
    same = is_of(self.marks[at].tensor, PyTuple_GetItem(given, Py_ssize_t(at)));
  }
  if (same) return true;
  if (self.thread != PyThread_get_thread_ident()) return false;
  const uint64_t turn = self.turn;
  for (size_t at = 0; at < count; ++at) {
    const Mark mark = self.marks[at];
    Owned tensor(Py_NewRef(mark.tensor)), storage(Py_NewRef(mark.storage));
    if (!is_on(mark, PyTuple_GetItem(given, Py_ssize_t(at)), self.shapes[at])) return false;
    if (self.turn != turn) return false;
  }
  return true;
}

// Calls a function that may be replaced while it runs.
inline PyObject* call_held(PyObject* function, PyObject* const* args, size_t count) {
  Owned held(Py_NewRef(function));
  return PyObject_Vectorcall(function, args, count, nullptr);
}

// Counts a step if it continues: 1. If Python must read it: 0. If an error is set: -1.
inline int count(Steps& self, PyObject* step, PyObject* given, PyObject* left) {
  if (is_full(*reinterpret_cast<Filler*>(self.target))) {
    Owned done(call_held(self.full, nullptr, 0));
    if (!done) return -1;
    if (self.ready <= 0) return 0;
  }
  Owned held(Py_NewRef(self.target)), before = items_of(given), after = items_of(left);
  auto& target = *reinterpret_cast<Filler*>(held.get());
  const uint64_t turn = self.turn;
  Marks next = std::exchange(self.spare, Marks());
  // All that may run other code comes first, and then nothing does. So the step and its state are
  // counted together or not at all.
  Values values;
  const bool counted = before && after && continues(self, before.get()) &&
      make_marks(after.get(), self.shapes, next) && read_step(target, step, values) &&
      self.turn == turn && !is_full(target);
  if (counted) {
    add_step(target, values);
    std::swap(self.marks, next);
    --self.ready;
    ++self.turn;
  }
  release(next);
  self.spare = std::move(next);
  return counted ? 1 : clear_error() ? 0 : -1;
}

// As `count`, but finds the values and the state first.
inline int count_output(Steps& self, PyObject* given, PyObject* output) {
  if (self.ready <= 0) return 0;
  Owned values(call_held(self.values, &output, 1));
  Owned left(values ? call_held(self.left, &output, 1) : nullptr);
  // Python then counts the call, or raises an error that names the layer.
  if (!left) return clear_error() ? 0 : -1;
  return self.ready <= 0 ? 0 : count(self, values.get(), given, left.get());
}

// Takes `(args, kwargs, output, given)` of a call that has run.
inline PyObject* steps_call(PyObject* object, PyObject* const* args, size_t count, PyObject* named) {
  if (PyVectorcall_NARGS(count) != 4 || named != nullptr) {
    PyErr_SetString(PyExc_TypeError, "Steps: expected (args, kwargs, output, given)");
    return nullptr;
  }
  return guarded([=]() -> PyObject* {
    auto& self = *reinterpret_cast<Steps*>(object);
    const int counted = count_output(self, args[3], args[2]);
    if (counted == 0) return call_held(self.finish, args, 4);
    if (counted < 0) return nullptr;
    Py_RETURN_NONE;
  });
}

// The methods.

inline PyObject* new_steps(PyTypeObject* type, PyObject* args, PyObject* named) {
  static const char* names[] = {"finish", nullptr};
  PyObject* finish;
  if (!PyArg_ParseTupleAndKeywords(args, named, "O:Steps", const_cast<char**>(names), &finish) ||
      !find_torch()) {
    return nullptr;
  }
  auto* self = allocate<Steps>(type);
  if (self == nullptr) return nullptr;
  self->vectorcall = steps_call;
  self->finish = Py_NewRef(finish);
  new (&self->marks) Marks();
  new (&self->spare) Marks();
  new (&self->shapes) Shapes();
  return reinterpret_cast<PyObject*>(self);
}

inline void stop(Steps& self) {
  self.ready = 0;
  ++self.turn;
  replace(self.target, nullptr);
  replace(self.full, nullptr);
}

inline PyObject* steps_pattern(PyObject* object, PyObject* args) {
  auto& self = *reinterpret_cast<Steps*>(object);
  PyObject *values, *left;
  if (!PyArg_ParseTuple(args, "OO:pattern", &values, &left)) return nullptr;
  stop(self);
  replace(self.values, values);
  replace(self.left, left);
  Py_RETURN_NONE;
}

inline PyObject* steps_begin(PyObject* object, PyObject* args) {
  auto& self = *reinterpret_cast<Steps*>(object);
  PyObject *target, *full, *state;
  long long most;
  if (!PyArg_ParseTuple(args, "OOOL:begin", &target, &full, &state, &most)) return nullptr;
  if (!is_filler(target)) {
    PyErr_SetString(PyExc_TypeError, "target: expected Bits or Sums");
    return nullptr;
  }
  if (self.values == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "Steps: expected a pattern before begin");
    return nullptr;
  }
  stop(self);
  return guarded([&]() -> PyObject* {
    Owned items = items_of(state);
    Marks marks;
    Shapes shapes;
    if (!items || !find_shapes(items.get(), shapes) || !make_marks(items.get(), shapes, marks)) {
      release(marks);
      if (!clear_error()) return nullptr;
      Py_RETURN_FALSE;
    }
    std::swap(self.marks, marks);
    std::swap(self.shapes, shapes);
    replace(self.target, target);
    replace(self.full, full);
    self.thread = PyThread_get_thread_ident();
    self.ready = most > 0 ? most : 0;
    ++self.turn;
    release(marks);
    Py_RETURN_TRUE;
  });
}

inline PyObject* steps_stop(PyObject* object, PyObject*) {
  stop(*reinterpret_cast<Steps*>(object));
  Py_RETURN_NONE;
}

inline PyObject* steps_state(PyObject* object, PyObject*) {
  return guarded([=]() -> PyObject* {
    // Take references first: an allocation may run any code, even this layer's next step.
    std::vector<Owned> held;
    std::vector<int64_t> offsets;
    for (const Mark& mark : reinterpret_cast<Steps*>(object)->marks) {
      for (PyObject* each : {mark.tensor, mark.storage}) held.emplace_back(Py_NewRef(each));
      offsets.push_back(mark.offset);
    }
    Owned found(PyList_New(0));
    for (size_t at = 0; found && at < offsets.size(); ++at) {
      Owned tensor(PyObject_CallNoArgs(held[2 * at].get()));
      Owned storage(tensor ? PyObject_CallNoArgs(held[2 * at + 1].get()) : nullptr);
      Owned each(
          storage ? Py_BuildValue("OOL", tensor.get(), storage.get(), (long long)offsets[at])
                  : nullptr);
      if (!each || PyList_Append(found.get(), each.get()) != 0) return nullptr;
    }
    return found.release();
  });
}

inline PyObject* steps_left(PyObject* object, void*) {
  return PyLong_FromLongLong(reinterpret_cast<Steps*>(object)->ready);
}

inline int traverse_steps(PyObject* object, visitproc visit, void* arg) {
  auto* self = reinterpret_cast<Steps*>(object);
  Py_VISIT(Py_TYPE(object));
  for (PyObject* held : {self->finish, self->values, self->left, self->target, self->full}) {
    Py_VISIT(held);
  }
  return 0;  // weak references hold nothing
}

inline int clear_steps(PyObject* object) {
  auto& self = *reinterpret_cast<Steps*>(object);
  stop(self);
  for (PyObject** held : {&self.values, &self.left}) replace(*held, nullptr);
  replace(self.finish, Py_None);  // calling None is an error, calling null would be a crash
  return 0;
}

inline void free_steps(PyObject* object) {
  PyObject_GC_UnTrack(object);
  clear_steps(object);
  auto* self = reinterpret_cast<Steps*>(object);
  release(self->marks);
  self->marks.~Marks();
  self->spare.~Marks();
  self->shapes.~Shapes();
  free_object(object);
}

}  // namespace neuroact
