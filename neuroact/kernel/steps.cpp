// A step of a recorded layer, read and counted without Python in between.
//
// Nearly every call of a layer is one step more of the sequence under way: values of the shape of
// those before, from the very state that the last call left. `Steps` runs such a call, and leaves
// all others to Python, which does the same in every case. It reads memory that PyTorch owns, so it
// takes nothing for granted: what is no plain tensor, or not just as expected, goes to Python.

#include <Python.h>
#include <structmember.h>

#include <ATen/core/TensorBase.h>
#include <c10/core/DispatchKeySet.h>
#include <torch/csrc/Storage.h>
#include <torch/csrc/autograd/graph_task.h>
#include <torch/csrc/autograd/python_variable.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/utils/object_ptr.h>

#include <cstdint>
#include <exception>
#include <new>
#include <utility>
#include <vector>

// Compiled for the oldest processor of its kind, since a cache folder may be shared by many; the
// loops for newer ones too, where the compiler can.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

namespace {

using Owned = THPObjectPtr;

// Counting. Both tell whether a value was neither 0 nor 1; NaN is neither.

// Adds a step, or one sample of it, to the window, whatever the values are.
FOR_EACH_PROCESSOR
bool add(const float* values, float* window, int64_t numel) {
  int32_t odd = 0;
  for (int64_t at = 0; at < numel; ++at) {
    const float value = values[at];
    window[at] += value;
    odd |= int32_t(value != 0.0f) ^ int32_t(value == 1.0f);
  }
  return odd != 0;
}

// Writes a step as a bit of each word, and how many values of each sample are not 0. Where a value
// is odd, the bits are taken back.
FOR_EACH_PROCESSOR
bool pack(
    const float* values, uint32_t* words, int32_t* sums, int bit, int64_t batch, int64_t neurons) {
  int32_t odd = 0;
  for (int64_t sample = 0; sample < batch; ++sample) {
    const float* come = values + sample * neurons;
    uint32_t* kept = words + sample * neurons;
    int32_t events = 0;
    for (int64_t neuron = 0; neuron < neurons; ++neuron) {
      const int32_t event = come[neuron] != 0.0f;
      kept[neuron] |= uint32_t(event) << bit;
      events += event;
      odd |= event ^ int32_t(come[neuron] == 1.0f);
    }
    sums[sample] = events;
  }
  if (odd != 0) {
    for (int64_t at = 0; at < batch * neurons; ++at) words[at] &= ~(uint32_t(1) << bit);
  }
  return odd != 0;
}

// Knowing a state again.

// Whether there is memory to a tensor, and it is not Python that says where, and of what shape.
bool are_numbers(const at::TensorBase& tensor) {
  return tensor.has_storage() && !tensor.is_nested() &&
      !tensor.key_set().has(c10::DispatchKey::Python);
}

// A tensor that a call left. What it points to may be freed, but no other is made at its address
// while a weak pointer is left to it.
struct Mark {
  c10::weak_intrusive_ptr<c10::TensorImpl> tensor;
  c10::weak_intrusive_ptr<c10::StorageImpl> storage;
  int64_t offset;

  explicit Mark(const at::TensorBase& left)
      : tensor(left.getIntrusivePtr()),
        storage(left.storage().getWeakStorageImpl()),
        offset(left.storage_offset()) {}

  bool is(const at::TensorBase& given) const {
    return tensor._unsafe_get_target() == given.unsafeGetTensorImpl();
  }

  // Whether this is the tensor, or another one on the same memory, as a detached one is.
  bool is_on(const at::TensorBase& given) const {
    if (is(given)) return true;
    return are_numbers(given) && given.storage_offset() == offset &&
        storage._unsafe_get_target() == given.storage().unsafeGetStorageImpl();
  }
};

// A flat tuple or list of tensors, whose items are borrowed.
struct Tensors {
  PyObject** items = nullptr;
  size_t count = 0;
  bool are_flat = false;

  explicit Tensors(PyObject* state) {
    if (!PyTuple_Check(state) && !PyList_Check(state)) return;
    items = PySequence_Fast_ITEMS(state);
    count = size_t(PySequence_Fast_GET_SIZE(state));
    are_flat = true;
    for (size_t at = 0; at < count; ++at) are_flat = are_flat && THPVariable_Check(items[at]);
  }

  const at::TensorBase& operator[](size_t at) const {
    return THPVariable_Unpack(items[at]);
  }

  bool have_storage() const {
    for (size_t at = 0; at < count; ++at) {
      if (!are_numbers((*this)[at])) return false;
    }
    return true;
  }
};

// Whether there is nothing to a tensor but numbers in a row in this machine's memory.
bool is_plain(PyObject* object, at::ScalarType type = at::kFloat) {
  if (!THPVariable_CheckExact(object)) return false;
  const at::TensorBase& tensor = THPVariable_Unpack(object);
  static const uint64_t usual = c10::DispatchKeySet({c10::DispatchKey::CPU,
                                                     c10::DispatchKey::AutogradCPU,
                                                     c10::DispatchKey::AutocastCPU,
                                                     c10::DispatchKey::ADInplaceOrView})
                                    .raw_repr();
  return (tensor.key_set().raw_repr() & ~usual) == 0 && tensor.scalar_type() == type &&
      tensor.is_contiguous() && tensor.has_storage();
}

// The object. Fields are set up by `make`, since Python allocates it.

struct Steps {
  PyObject_HEAD
  PyObject* in_full; // (forward, args, kwargs) -> output: the call in Python
  PyObject* finish; // (args, kwargs, output, given): reads a call in Python that has run
  PyObject* holds; // () -> bool, or None: whether the pattern is still the layer's
  PyObject* given; // (args, kwargs) -> state
  PyObject* values; // (output) -> Tensor
  PyObject* left; // (output) -> state
  PyObject* full; // (): empties the words
  std::vector<int64_t> sizes; // of a step
  std::vector<Mark> marks;
  at::TensorBase window; // float32 [batch or 1, *neurons]; undefined while steps are packed
  at::TensorBase words; // int32 [2, batch, neurons], read as unsigned
  at::TensorBase sums; // int32 [width, batch]
  int64_t filled; // steps in the words, or added since `take`
  int64_t ready; // steps that may come before the next one is read in full
  unsigned long thread; // the one of the last step that was read in full
  bool odd;
};

PyTypeObject* steps_type = nullptr;

const char* const OUT_OF_TURN = "Steps: expected pattern, then add_into or pack_into, then begin";

// Whether a call goes on from the last one, as `StateTrace` has it: the objects that were left are
// asked nothing more, others are looked at as in a call that is read in full.
bool goes_on(const Steps* self, const Tensors& given, const Tensors& left) {
  const std::vector<Mark>& marks = self->marks;
  bool same = true;
  for (size_t at = 0; same && at < marks.size(); ++at) same = marks[at].is(given[at]);
  if (same) return true;
  if (self->thread != PyThread_get_thread_ident()) return false;
  for (size_t at = 0; at < marks.size(); ++at) {
    if (!marks[at].is_on(given[at]) || given[at].sizes() != left[at].sizes()) return false;
  }
  return true;
}

// Calls a function that may be replaced while it runs.
PyObject* ask(PyObject* function, PyObject* const* args, size_t count) {
  Owned held(Py_NewRef(function));
  return PyObject_Vectorcall(held, args, count, nullptr);
}

// 1 where the step was counted, 0 where Python must read it, -1 where an error is set.
int count(Steps* self, PyObject* values, PyObject* given, PyObject* left) {
  if (self->sums.defined() && self->filled == self->sums.size(0)) {
    Owned done(ask(self->full, nullptr, 0));
    if (!done) return -1;
    if (self->filled != 0) return 0;
  }
  if (self->ready <= 0 || !is_plain(values)) return 0;
  const at::TensorBase& step = THPVariable_Unpack(values);
  if (step.sizes() != c10::IntArrayRef(self->sizes)) return 0;
  const Tensors before(given), after(left);
  const size_t states = self->marks.size();
  if (!before.are_flat || !after.are_flat || before.count != states || after.count != states ||
      !after.have_storage()) {
    return 0;
  }
  if (!goes_on(self, before, after)) return 0;
  const float* numbers = step.const_data_ptr<float>();
  if (self->window.defined()) {
    float* window = self->window.mutable_data_ptr<float>();
    const int64_t size = self->window.numel();
    for (int64_t at = 0; at < step.numel(); at += size) {
      self->odd |= add(numbers + at, window, size);
    }
  } else {
    const int64_t plane = self->filled / 32 * step.numel(), batch = self->sums.size(1);
    auto* words = reinterpret_cast<uint32_t*>(self->words.mutable_data_ptr<int32_t>()) + plane;
    auto* sums = self->sums.mutable_data_ptr<int32_t>() + self->filled * batch;
    // Read in full, an odd step is told to the statistics as it is.
    if (pack(numbers, words, sums, int(self->filled % 32), batch, step.numel() / batch)) return 0;
  }
  for (size_t at = 0; at < states; ++at) self->marks[at] = Mark(after[at]);
  ++self->filled;
  --self->ready;
  return 1;
}

// Running a call. PyTorch walks the whole stack within some layers' steps, and to pass the frame of
// a large function costs as much there as all of the counting. So what is done before the layer's
// own `forward` and what is done after it are apart, and the frame that stays in between is small.

struct Call {
  Steps* self;
  PyObject* forward;
  PyObject* args;
  PyObject* kwargs; // may be null until `before`
  PyObject* given;
};

void let_go(Call& call) {
  Py_XDECREF(call.given);
  Py_XDECREF(call.kwargs);
  Py_DECREF(call.args);
  Py_DECREF(call.forward);
  Py_DECREF(call.self);
}

PyObject* in_full(Call& call) {
  PyObject* const given[] = {call.forward, call.args, call.kwargs};
  return PyObject_Vectorcall(call.self->in_full, given, 3, nullptr);
}

// 1 where `forward` comes next; 0 where the call is Python's; -1 where an error is set.
[[gnu::noinline]] int before(Call& call) {
  // Held here, since all others may let go of them meanwhile.
  Py_INCREF(call.self);
  Py_INCREF(call.forward);
  Py_INCREF(call.args);
  call.kwargs = call.kwargs != nullptr ? Py_NewRef(call.kwargs) : PyDict_New();
  if (call.kwargs == nullptr) return -1;
  if (call.self->holds != Py_None) {
    Owned answer(ask(call.self->holds, nullptr, 0));
    const int holds = answer ? PyObject_IsTrue(answer) : -1;
    if (holds <= 0) return holds;
  }
  PyObject* const called[] = {call.args, call.kwargs};
  call.given = ask(call.self->given, called, 2);
  return call.given != nullptr ? 1 : -1;
}

inline PyObject* run_forward(const Call& call) {
  const vectorcallfunc direct = PyVectorcall_Function(call.forward);
  if (direct == nullptr || PyDict_GET_SIZE(call.kwargs) != 0) {
    return PyObject_Call(call.forward, call.args, call.kwargs);
  }
  PyObject** args = PySequence_Fast_ITEMS(call.args);
  return direct(call.forward, args, size_t(PyTuple_GET_SIZE(call.args)), nullptr);
}

// No C++ exception may leave by way of Python. One that stands for an error of Python's is that.
void set_error(const std::exception& cause) {
  if (!PyErr_Occurred()) PyErr_SetString(PyExc_RuntimeError, cause.what());
}

// As `count`; the values and the state are found first.
int count_output(Steps* self, PyObject* given, PyObject* output) {
  if (self->ready <= 0) return 0;
  Owned values(ask(self->values, &output, 1));
  Owned left(values ? ask(self->left, &output, 1) : nullptr);
  if (left) return count(self, values, given, left);
  if (!PyErr_ExceptionMatches(PyExc_Exception)) return -1;
  PyErr_Clear(); // read in full it is counted after all, or is an error that names the layer
  return 0;
}

[[gnu::noinline]] PyObject* after(Call& call, PyObject* output) {
  int counted = -1;
  if (output != nullptr) {
    try {
      counted = count_output(call.self, call.given, output);
    } catch (const std::exception& cause) {
      set_error(cause);
    }
  }
  if (counted == 0) {
    PyObject* const read[] = {call.args, call.kwargs, output, call.given};
    Owned done(PyObject_Vectorcall(call.self->finish, read, 4, nullptr));
    counted = done ? 1 : -1;
  }
  let_go(call);
  if (counted > 0) return output;
  Py_XDECREF(output);
  return nullptr;
}

[[gnu::noinline]] PyObject* otherwise(Call& call, int way) {
  PyObject* output = way < 0 ? nullptr : in_full(call);
  let_go(call);
  return output;
}

PyObject* run(Steps* self, PyObject* forward, PyObject* args, PyObject* kwargs) {
  Call call{self, forward, args, kwargs, nullptr};
  const int way = before(call);
  if (way <= 0) return otherwise(call, way);
  return after(call, run_forward(call));
}

PyObject* call(PyObject* object, PyObject* args, PyObject* named) {
  auto* self = reinterpret_cast<Steps*>(object);
  PyObject *forward, *given, *kwargs;
  if (!PyArg_ParseTuple(args, "OO!O!", &forward, &PyTuple_Type, &given, &PyDict_Type, &kwargs)) {
    return nullptr;
  }
  if (self->ready > 0) return run(self, forward, given, kwargs);
  PyObject* const whole[] = {forward, given, kwargs};
  return PyObject_Vectorcall(self->in_full, whole, 3, nullptr);
}

template <typename Function>
PyObject* guarded(Function function) {
  try {
    return function();
  } catch (const std::exception& cause) {
    set_error(cause);
    return nullptr;
  }
}

// What Python says to it.

PyObject* make(PyTypeObject* type, PyObject* args, PyObject* named) {
  PyObject *in_full, *finish;
  if (!PyArg_ParseTuple(args, "OO", &in_full, &finish)) return nullptr;
  auto* self = reinterpret_cast<Steps*>(type->tp_alloc(type, 0));
  if (self == nullptr) return nullptr;
  self->in_full = Py_NewRef(in_full);
  self->finish = Py_NewRef(finish);
  new (&self->sizes) std::vector<int64_t>();
  new (&self->marks) std::vector<Mark>();
  for (at::TensorBase* tensor : {&self->window, &self->words, &self->sums}) {
    new (tensor) at::TensorBase();
  }
  return reinterpret_cast<PyObject*>(self);
}

void replace(PyObject*& field, PyObject* by) {
  Py_XSETREF(field, Py_NewRef(by));
}

PyObject* pattern(PyObject* object, PyObject* args) {
  auto* self = reinterpret_cast<Steps*>(object);
  PyObject *given, *values, *left, *holds;
  if (!PyArg_ParseTuple(args, "OOOO", &given, &values, &left, &holds)) return nullptr;
  self->ready = 0;
  replace(self->given, given);
  replace(self->values, values);
  replace(self->left, left);
  replace(self->holds, holds);
  Py_RETURN_NONE;
}

void drop_target(Steps* self) {
  self->window = self->words = self->sums = at::TensorBase();
  self->filled = 0;
  self->odd = false;
}

PyObject* add_into(PyObject* object, PyObject* args) {
  auto* self = reinterpret_cast<Steps*>(object);
  PyObject *given, *like;
  if (!PyArg_ParseTuple(args, "OO", &given, &like)) return nullptr;
  return guarded([=]() -> PyObject* {
    if (!is_plain(given) || !is_plain(like)) {
      PyErr_SetString(PyExc_TypeError, "expected contiguous float32 tensors on the CPU");
      return nullptr;
    }
    const at::TensorBase &window = THPVariable_Unpack(given), &step = THPVariable_Unpack(like);
    if (window.dim() == 0 || window.dim() != step.dim() || window.numel() == 0 ||
        (window.size(0) != 1 && window.size(0) != step.size(0)) ||
        window.sizes().slice(1) != step.sizes().slice(1)) {
      PyErr_SetString(PyExc_TypeError, "expected a window [batch or 1, *neurons] of the step's");
      return nullptr;
    }
    self->ready = 0;
    drop_target(self);
    self->window = window;
    self->sizes = step.sizes().vec();
    Py_RETURN_NONE;
  });
}

PyObject* pack_into(PyObject* object, PyObject* args) {
  auto* self = reinterpret_cast<Steps*>(object);
  PyObject *shape, *words, *sums, *full;
  long long filled;
  if (!PyArg_ParseTuple(args, "O!OOOL", &PyTuple_Type, &shape, &words, &sums, &full, &filled)) {
    return nullptr;
  }
  return guarded([=]() -> PyObject* {
    std::vector<int64_t> sizes;
    int64_t numel = 1;
    for (Py_ssize_t at = 0; at < PyTuple_GET_SIZE(shape); ++at) {
      sizes.push_back(PyLong_AsLongLong(PyTuple_GET_ITEM(shape, at)));
      numel *= sizes.back();
    }
    if (PyErr_Occurred()) return nullptr;
    const bool fit = is_plain(words, at::kInt) && is_plain(sums, at::kInt);
    if (!fit || sizes.empty() || numel <= 0 || THPVariable_Unpack(words).numel() != 2 * numel ||
        THPVariable_Unpack(sums).dim() != 2 || THPVariable_Unpack(sums).size(0) > 64 ||
        THPVariable_Unpack(sums).size(1) != sizes[0] || filled < 0 ||
        filled > THPVariable_Unpack(sums).size(0)) {
      PyErr_SetString(PyExc_TypeError, "expected int32 [2, batch, neurons] and [64, batch]");
      return nullptr;
    }
    self->ready = 0;
    drop_target(self);
    self->words = THPVariable_Unpack(words);
    self->sums = THPVariable_Unpack(sums);
    self->sizes = std::move(sizes);
    self->filled = filled;
    replace(self->full, full);
    Py_RETURN_NONE;
  });
}

PyObject* begin(PyObject* object, PyObject* args) {
  auto* self = reinterpret_cast<Steps*>(object);
  PyObject *step, *state;
  long long most;
  if (!PyArg_ParseTuple(args, "OOL", &step, &state, &most)) return nullptr;
  return guarded([=]() -> PyObject* {
    const Tensors left(state);
    if (!left.are_flat || left.count == 0 || !left.have_storage()) Py_RETURN_FALSE;
    if (!is_plain(step) || THPVariable_Unpack(step).sizes() != c10::IntArrayRef(self->sizes)) {
      Py_RETURN_FALSE;
    }
    if (self->given == nullptr || !(self->window.defined() || self->words.defined())) {
      PyErr_SetString(PyExc_RuntimeError, OUT_OF_TURN);
      return nullptr;
    }
    self->marks.clear();
    for (size_t at = 0; at < left.count; ++at) self->marks.emplace_back(left[at]);
    self->ready = most;
    self->thread = PyThread_get_thread_ident();
    Py_RETURN_TRUE;
  });
}

PyObject* stop(PyObject* object, PyObject*) {
  reinterpret_cast<Steps*>(object)->ready = 0;
  Py_RETURN_NONE;
}

PyObject* take(PyObject* object, PyObject*) {
  auto* self = reinterpret_cast<Steps*>(object);
  const long long filled = std::exchange(self->filled, 0);
  return Py_BuildValue("LN", filled, PyBool_FromLong(std::exchange(self->odd, false)));
}

PyObject* give_back(PyObject* object, PyObject*) {
  auto* self = reinterpret_cast<Steps*>(object);
  self->ready = 0;
  drop_target(self);
  Py_RETURN_NONE;
}

// What is left of the state: each tensor and its storage, None where it is gone, and the offset.
PyObject* state(PyObject* object, PyObject*) {
  auto* self = reinterpret_cast<Steps*>(object);
  return guarded([=]() -> PyObject* {
    self->ready = 0;
    Owned found(PyList_New(0));
    if (!found) return nullptr;
    const std::vector<Mark> marks = self->marks; // a finalizer may run the layer meanwhile
    for (const Mark& mark : marks) {
      auto tensor = mark.tensor.lock();
      auto storage = mark.storage.lock();
      Owned left(tensor.defined() ? THPVariable_Wrap(at::TensorBase(std::move(tensor)))
                                  : Py_NewRef(Py_None));
      Owned memory(storage.defined() ? THPStorage_Wrap(c10::Storage(std::move(storage)))
                                     : Py_NewRef(Py_None));
      if (!left || !memory) return nullptr;
      Owned each(Py_BuildValue("OOL", left.get(), memory.get(), (long long)mark.offset));
      if (!each || PyList_Append(found, each) != 0) return nullptr;
    }
    return found.release();
  });
}

int traverse(PyObject* object, visitproc visit, void* arg) {
  auto* self = reinterpret_cast<Steps*>(object);
  Py_VISIT(Py_TYPE(object));
  for (PyObject* held : {self->in_full, self->finish, self->holds, self->given, self->values,
                         self->left, self->full}) {
    Py_VISIT(held);
  }
  return 0;
}

int clear(PyObject* object) {
  auto* self = reinterpret_cast<Steps*>(object);
  self->ready = 0;
  for (PyObject** held : {&self->in_full, &self->finish, &self->holds, &self->given, &self->values,
                          &self->left, &self->full}) {
    Py_CLEAR(*held);
  }
  return 0;
}

void free_all(PyObject* object) {
  auto* self = reinterpret_cast<Steps*>(object);
  PyObject_GC_UnTrack(object);
  clear(object);
  self->sizes.~vector();
  self->marks.~vector();
  for (at::TensorBase* tensor : {&self->window, &self->words, &self->sums}) tensor->~TensorBase();
  PyTypeObject* type = Py_TYPE(object);
  type->tp_free(object);
  Py_DECREF(type);
}

PyMethodDef methods[] = {
    {"pattern", pattern, METH_VARARGS, "Find a call's values and state so; no step is under way."},
    {"add_into", add_into, METH_VARARGS, "Add each step like this one into this window."},
    {"pack_into", pack_into, METH_VARARGS, "Pack each step into these words and sums."},
    {"begin", begin, METH_VARARGS, "Steps like this may come, so many, going on from this state."},
    {"stop", stop, METH_NOARGS, "Have the next call read in full."},
    {"take", take, METH_NOARGS, "Steps counted since the last `take`, and if a value was odd."},
    {"give_back", give_back, METH_NOARGS, "Stop, and keep nothing of what steps go into."},
    {"state", state, METH_NOARGS, "Stop; the state that the last step left, as far as it is."},
    {nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(make)},
    {Py_tp_dealloc, reinterpret_cast<void*>(free_all)},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(clear)},
    {Py_tp_call, reinterpret_cast<void*>(call)},
    {Py_tp_methods, methods},
    {0, nullptr},
};

PyType_Spec steps_spec = {
    "neuroact_steps.Steps", sizeof(Steps), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, slots};

// The stand-in for a module's `forward`, see neuroact/hooks.py. It is a class of Python, with a
// `__call__` of Python, which torch.compile reads. To run that takes two frames more of the stack
// than to come here at once, and PyTorch walks the stack in some layers' steps.

ternaryfunc slow_call = nullptr;
Py_ssize_t call_at = 0, original_at = 0; // of the stand-in's slots
PyObject* is_compiling = nullptr;
PyObject* is_capturing = nullptr; // None where there is no CUDA

// 1 where the call is one more of those that Python treats apart; -1 where an error is set.
int is_apart() {
  // Inside of torch.compile, which reads each function of Python before it is run.
  const auto interpreter = PyInterpreterState_Get();
  if (_PyInterpreterState_GetEvalFrameFunc(interpreter) != _PyEval_EvalFrameDefault) return 1;
  for (PyObject* ask : {is_compiling, is_capturing}) {
    if (ask == Py_None) continue;
    Owned answer(PyObject_CallNoArgs(ask));
    const int yes = answer ? PyObject_IsTrue(answer) : -1;
    if (yes != 0) return yes;
  }
  return torch::autograd::get_current_graph_task_id() != -1 || torch::jit::tracer::isTracing();
}

PyObject* slot(PyObject* object, Py_ssize_t at) {
  return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(object) + at);
}

// Who counts the next call of what that object stands in for, if it is ready.
Steps* ready_one(PyObject* object) {
  PyObject* watcher = slot(object, call_at);
  if (watcher == nullptr || Py_TYPE(watcher) != steps_type) return nullptr;
  auto* steps = reinterpret_cast<Steps*>(watcher);
  return steps->ready > 0 && slot(object, original_at) != nullptr ? steps : nullptr;
}

// The same; null where Python runs the call, or where an error is set.
[[gnu::noinline]] Steps* ready_for(PyObject* object) {
  if (ready_one(object) == nullptr || is_apart() != 0) return nullptr;
  return ready_one(object); // anew, since asking runs Python, and with it other threads
}

PyObject* call_stand_in(PyObject* object, PyObject* args, PyObject* kwargs) {
  Steps* steps = ready_for(object);
  if (steps == nullptr) return PyErr_Occurred() ? nullptr : slow_call(object, args, kwargs);
  return run(steps, slot(object, original_at), args, kwargs);
}

Py_ssize_t slot_of(PyObject* type, const char* name) {
  Owned found(PyObject_GetAttrString(type, name));
  if (!found) return 0;
  if (!Py_IS_TYPE(found.get(), &PyMemberDescr_Type)) {
    PyErr_Format(PyExc_TypeError, "expected a class with a slot %s", name);
    return 0;
  }
  return reinterpret_cast<PyMemberDescrObject*>(found.get())->d_member->offset;
}

PyObject* stand_in(PyObject*, PyObject* args) {
  PyObject *type, *compiling, *capturing;
  if (!PyArg_ParseTuple(args, "O!OO", &PyType_Type, &type, &compiling, &capturing)) return nullptr;
  if (slow_call != nullptr) Py_RETURN_NONE;
  call_at = slot_of(type, "call");
  original_at = call_at ? slot_of(type, "original") : 0;
  if (original_at == 0) return nullptr;
  replace(is_compiling, compiling);
  replace(is_capturing, capturing);
  slow_call = std::exchange(reinterpret_cast<PyTypeObject*>(type)->tp_call, call_stand_in);
  Py_RETURN_NONE;
}

PyMethodDef functions[] = {
    {"stand_in", stand_in, METH_VARARGS, "Call the objects of that class at once; see hooks.py."},
    {nullptr},
};

PyModuleDef definition = {PyModuleDef_HEAD_INIT, "neuroact_steps", nullptr, -1, functions};

} // namespace

PyMODINIT_FUNC PyInit_neuroact_steps() {
  Owned module(PyModule_Create(&definition));
  Owned type(PyType_FromSpec(&steps_spec));
  if (!module || !type || PyModule_AddObjectRef(module, "Steps", type) != 0) return nullptr;
  steps_type = reinterpret_cast<PyTypeObject*>(type.get());
  Py_INCREF(steps_type);
  return module.release();
}
