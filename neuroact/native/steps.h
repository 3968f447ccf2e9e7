// The steps of a recorded layer, read and counted without Python in between.
//
// Nearly every call of a layer is one step more of the sequence under way: values of the shape of
// those before, from the very state that the last call left. `Steps` counts such a call once it has
// run, and leaves all others to Python, which does the same in every case.

#pragma once

#include "python.h"

#include <vector>

#include "fillers.h"

namespace neuroact {

// Knowing a state again. A weak reference, to a tensor or to its storage, is of that object alone,
// also when another one is made at its address.
struct Mark {
  PyObject *tensor = nullptr, *storage = nullptr;  // weak references, owned
  int64_t offset = 0;

  void let_go() {
    Py_CLEAR(tensor);
    Py_CLEAR(storage);
  }
};

using Marks = std::vector<Mark>;
using Shapes = std::vector<Shape>;

inline void let_go(Marks& marks) {
  for (Mark& mark : marks) mark.let_go();
  marks.clear();
}

// Whether the reference is to that object. It is alive, so that to let go of it here runs nothing.
// None, an absent state, is what a reference gives whose object is gone.
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

// Whether a tensor is the one that was left, or another one on its memory, as a detached one is.
inline bool is_on(const Mark& mark, PyObject* given, const Shape& shape) {
  if (!has_shape(given, shape)) return false;
  if (is_of(mark.tensor, given)) return true;
  int64_t offset;
  Owned storage(ask(torch.untyped_storage, given));
  return storage && is_of(mark.storage, storage.get()) && offset_of(given, offset) &&
      offset == mark.offset;
}

// The items of a state, a tuple or a list; null, without an error, where it is neither.
inline Owned items_of(PyObject* state) {
  if (PyTuple_Check(state)) return Owned(Py_NewRef(state));
  if (PyList_Check(state)) return Owned(PyList_AsTuple(state));
  return Owned();
}

// Marks of a state's tensors. False where they could not be known again, or have other shapes than
// expected; an error may be set.
inline bool make_marks(PyObject* items, const Shapes& shapes, Marks& marks) {
  const Py_ssize_t count = PyTuple_Size(items);
  if (count != Py_ssize_t(shapes.size())) return false;
  for (Py_ssize_t at = 0; at < count; ++at) {
    if (!has_shape(PyTuple_GetItem(items, at), shapes[size_t(at)])) return false;
  }
  for (Py_ssize_t at = 0; at < count; ++at) {  // no more of the shapes: this may run anything
    marks.emplace_back();
    if (!make_mark(PyTuple_GetItem(items, at), marks.back())) return false;
  }
  return true;
}

// False where there is none, or one of them is no plain tensor; an error may be set.
inline bool find_shapes(PyObject* items, Shapes& shapes) {
  for (Py_ssize_t at = 0; at < PyTuple_Size(items); ++at) {
    PyObject* object = PyTuple_GetItem(items, at);
    DlTensor tensor;
    if (!is_tensor(object) || torch.read(object, &tensor) != 0) return false;
    shapes.emplace_back(tensor.shape, tensor.shape + tensor.dimensions);
  }
  return !shapes.empty();
}

// What is raised while a state is looked at is no error of the call: it is read in full then. False
// where it is one nevertheless, such as an interrupt.
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
  PyObject* target;  // Bits or Sums; null: stopped
  PyObject* full;    // (): empties the target
  int64_t ready;      // steps that may come before the next one is read in full
  uint64_t turn;      // another one whenever the marks, the target or the pattern change
  unsigned long thread;  // the one that began
  Marks marks, spare;    // of the last state; room for the next
  Shapes shapes;         // of each of them
};

inline PyTypeObject* steps_type = nullptr;

// Whether a call was given the state that the last one left, by the rule of `StateTrace`. The
// objects that were left are asked nothing more. An error may be set.
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

// Counts a step that goes on. 1 where it was, 0 where Python must read it, -1 where an error is set.
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
  // All that may run anything comes first. From then on nothing does, so that the step is counted
  // whole, with its state.
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
  let_go(next);
  self.spare = std::move(next);
  return counted ? 1 : clear_error() ? 0 : -1;
}

// As `count`; the values and the state are found first.
inline int count_output(Steps& self, PyObject* given, PyObject* output) {
  if (self.ready <= 0) return 0;
  Owned values(call_held(self.values, &output, 1));
  Owned left(values ? call_held(self.left, &output, 1) : nullptr);
  // Read in full it is counted after all, or is an error that names the layer.
  if (!left) return clear_error() ? 0 : -1;
  return self.ready <= 0 ? 0 : count(self, values.get(), given, left.get());
}

// `(args, kwargs, output, given)`, of a call that has run.
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

// What Python says to it.

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
      let_go(marks);
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
    let_go(marks);
    Py_RETURN_TRUE;
  });
}

inline PyObject* steps_stop(PyObject* object, PyObject*) {
  stop(*reinterpret_cast<Steps*>(object));
  Py_RETURN_NONE;
}

inline PyObject* steps_state(PyObject* object, PyObject*) {
  return guarded([=]() -> PyObject* {
    // References first: what allocates may run anything, also this layer's next step.
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
  replace(self.finish, Py_None);  // which is no function, but may be called, while this is freed
  return 0;
}

inline void free_steps(PyObject* object) {
  PyObject_GC_UnTrack(object);
  clear_steps(object);
  auto* self = reinterpret_cast<Steps*>(object);
  let_go(self->marks);
  self->marks.~Marks();
  self->spare.~Marks();
  self->shapes.~Shapes();
  free_object(object);
}

}  // namespace neuroact
