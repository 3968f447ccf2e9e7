// The step that nearly every call of a recorded layer is, at the least cost.
#include <Python.h>
#include <structmember.h>

#include <ATen/core/TensorBase.h>
#include <c10/core/DispatchKeySet.h>
#include <torch/csrc/autograd/python_variable.h>
#include <torch/csrc/Storage.h>

#include <cstdint>
#include <new>
#include <vector>

namespace {

#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define FOR_SEVERAL_PROCESSORS __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_SEVERAL_PROCESSORS
#endif

FOR_SEVERAL_PROCESSORS
bool add(const float* values, float* window, int64_t numel) {
  int32_t odd = 0;
  for (int64_t at = 0; at < numel; ++at) {
    float value = values[at];
    window[at] += value;
    odd |= (value != 0.0f) ^ (value == 1.0f);
  }
  return odd != 0;
}

struct Mark {
  c10::weak_intrusive_ptr<c10::TensorImpl> tensor;
  c10::weak_intrusive_ptr<c10::StorageImpl> storage;
  int64_t offset;
};

struct Steps {
  PyObject_HEAD
  vectorcallfunc call;
  std::vector<int64_t> sizes;
  std::vector<Mark> marks;
  at::TensorBase window;
  float* sums;
  int64_t numel, taken, left;
  bool odd;
};

bool is_plain(const at::TensorBase& t) {
  static const c10::DispatchKeySet allowed({c10::DispatchKey::CPU, c10::DispatchKey::AutogradCPU, c10::DispatchKey::ADInplaceOrView, c10::DispatchKey::AutocastCPU});
  return (t.key_set().raw_repr() & ~allowed.raw_repr()) == 0 && t.scalar_type() == at::kFloat && t.is_contiguous();
}

bool mark(PyObject* object, Mark& into) {
  if (!THPVariable_Check(object)) return false;
  const at::TensorBase& t = THPVariable_Unpack(object);
  if (!t.has_storage()) return false;
  into.tensor = c10::weak_intrusive_ptr<c10::TensorImpl>(t.getIntrusivePtr());
  into.storage = t.storage().getWeakStorageImpl();
  into.offset = t.storage_offset();
  return true;
}

PyObject* step(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* names) {
  Steps* s = (Steps*)self;
  if (PyVectorcall_NARGS(nargsf) != 3 || names) { PyErr_SetString(PyExc_TypeError, "three"); return nullptr; }
  PyObject *values = args[0], *given = args[1], *left = args[2];
  if (s->left <= 0 || !THPVariable_CheckExact(values)) Py_RETURN_FALSE;
  const at::TensorBase& t = THPVariable_Unpack(values);
  if (!is_plain(t) || t.sizes() != c10::IntArrayRef(s->sizes)) Py_RETURN_FALSE;
  size_t n = s->marks.size();
  bool gt = PyTuple_Check(given) || PyList_Check(given), lt = PyTuple_Check(left) || PyList_Check(left);
  if (!gt || !lt || PySequence_Fast_GET_SIZE(given) != (Py_ssize_t)n || PySequence_Fast_GET_SIZE(left) != (Py_ssize_t)n) Py_RETURN_FALSE;
  PyObject** g = PySequence_Fast_ITEMS(given); PyObject** l = PySequence_Fast_ITEMS(left);
  for (size_t i = 0; i < n; ++i) {
    if (!THPVariable_Check(g[i]) || !THPVariable_Check(l[i])) Py_RETURN_FALSE;
    const at::TensorBase& b = THPVariable_Unpack(g[i]);
    if (s->marks[i].tensor._unsafe_get_target() != b.unsafeGetTensorImpl()) {
      Py_RETURN_FALSE;
    }
    if (!THPVariable_Unpack(l[i]).has_storage()) Py_RETURN_FALSE;
  }
  for (size_t i = 0; i < n; ++i) mark(l[i], s->marks[i]);
  s->odd |= add(t.const_data_ptr<float>(), s->sums, s->numel);
  ++s->taken; --s->left;
  Py_RETURN_TRUE;
}

PyObject* make(PyTypeObject* type, PyObject*, PyObject*) {
  Steps* s = (Steps*)type->tp_alloc(type, 0);
  if (!s) return nullptr;
  s->call = step;
  new (&s->sizes) std::vector<int64_t>();
  new (&s->marks) std::vector<Mark>();
  new (&s->window) at::TensorBase();
  return (PyObject*)s;
}
void gone(PyObject* self) {
  Steps* s = (Steps*)self;
  using V = std::vector<int64_t>; using M = std::vector<Mark>;
  s->sizes.~V(); s->marks.~M(); s->window.~TensorBase();
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(type);
}
PyObject* open(PyObject* self, PyObject* args) {
  Steps* s = (Steps*)self; PyObject *window, *left; long long most;
  if (!PyArg_ParseTuple(args, "OOL", &window, &left, &most)) return nullptr;
  s->window = THPVariable_Unpack(window);
  s->sizes = s->window.sizes().vec(); s->numel = s->window.numel();
  s->sums = s->window.mutable_data_ptr<float>();
  PyObject** l = PySequence_Fast_ITEMS(left); size_t n = PySequence_Fast_GET_SIZE(left);
  s->marks.clear();
  for (size_t i = 0; i < n; ++i) { s->marks.push_back({c10::weak_intrusive_ptr<c10::TensorImpl>(THPVariable_Unpack(l[i]).getIntrusivePtr()), THPVariable_Unpack(l[i]).storage().getWeakStorageImpl(), THPVariable_Unpack(l[i]).storage_offset()}); }
  s->left = most;
  Py_RETURN_NONE;
}
PyObject* take(PyObject* self, PyObject*) { Steps* s=(Steps*)self; PyObject* r = Py_BuildValue("LO", (long long)s->taken, s->odd?Py_True:Py_False); s->taken=0; s->odd=false; return r; }
PyMethodDef methods[] = {{"open", open, METH_VARARGS, ""}, {"take", take, METH_NOARGS, ""}, {nullptr}};
PyMemberDef members[] = {{"__vectorcalloffset__", T_PYSSIZET, offsetof(Steps, call), READONLY}, {nullptr}};
PyType_Slot slots[] = {{Py_tp_new, (void*)make}, {Py_tp_dealloc, (void*)gone}, {Py_tp_call, (void*)PyVectorcall_Call}, {Py_tp_methods, methods}, {Py_tp_members, members}, {0, nullptr}};
PyType_Spec spec = {"neuroact_steps.Steps", sizeof(Steps), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL, slots};
PyModuleDef def = {PyModuleDef_HEAD_INIT, "neuroact_steps", nullptr, -1, nullptr};
}  // namespace
PyMODINIT_FUNC PyInit_neuroact_steps() {
  PyObject* m = PyModule_Create(&def);
  PyModule_AddObject(m, "Steps", PyType_FromSpec(&spec));
  return m;
}
