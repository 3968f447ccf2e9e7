// The compiled core: reads a layer's steps from the memory of their tensors and counts them.
//
// _core.pyi documents what Python can use of it.

#include "arrivals.h"
#include "fillers.h"
#include "loops.h"
#include "steps.h"

namespace neuroact {
namespace {

template <typename Function>
void* slot(Function* function) {
  return reinterpret_cast<void*>(function);
}

template <typename Function>
PyCFunction method(Function* function) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef bits_methods[] = {
    {"add", filler_add, METH_O, "add($self, values, /)\n--\n\nWrite a step, if it can be read."},
    {"take", method(guard<bits_take>), METH_FASTCALL,
     "take($self, words, sums, /)\n--\n\nWrite the steps out as words, and empty this."},
    {"until", method(guard<bits_until>), METH_FASTCALL,
     "until($self, remaining, /)\n--\n\nSay how many next steps of each sample are valid."},
    {nullptr, nullptr, 0, nullptr},
};

PyMethodDef sums_methods[] = {
    {"add", filler_add, METH_O, "add($self, values, /)\n--\n\nAdd a step, if it can be read."},
    {"take", method(guard<sums_take>), METH_FASTCALL,
     "take($self, events, /)\n--\n\nAdd the sums to events, and empty this."},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef filler_fields[] = {
    {"shape", filler_shape, nullptr, "Shape of a step, [batch, *neurons].", nullptr},
    {"steps", filler_steps, nullptr, "Number of steps in this.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot bits_slots[] = {
    {Py_tp_doc, const_cast<char*>("Up to 64 steps of one shape, one bit for each value.")},
    {Py_tp_new, slot(new_bits)},
    {Py_tp_dealloc, slot(free_filler)},
    {Py_tp_methods, bits_methods},
    {Py_tp_getset, filler_fields},
    {0, nullptr},
};

PyType_Slot sums_slots[] = {
    {Py_tp_doc, const_cast<char*>("Events of each neuron over steps of one shape.")},
    {Py_tp_new, slot(new_sums)},
    {Py_tp_dealloc, slot(free_filler)},
    {Py_tp_methods, sums_methods},
    {Py_tp_getset, filler_fields},
    {0, nullptr},
};

PyMethodDef steps_methods[] = {
    {"pattern", steps_pattern, METH_VARARGS,
     "pattern($self, values, left, /)\n--\n\nSet how to find a call's values and state."},
    {"begin", steps_begin, METH_VARARGS,
     "begin($self, target, full, state, most, /)\n--\n\nCount steps that continue from this state."},
    {"stop", steps_stop, METH_NOARGS,
     "stop($self, /)\n--\n\nLet Python read the next call; returns the last state."},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef steps_fields[] = {
    {"left", steps_left, nullptr, "Steps that may still come before Python reads one.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyMemberDef steps_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Steps, vectorcall), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyType_Slot steps_slots[] = {
    {Py_tp_doc, const_cast<char*>("Counts a layer's calls that continue the last one.")},
    {Py_tp_new, slot(new_steps)},
    {Py_tp_call, slot(PyVectorcall_Call)},
    {Py_tp_dealloc, slot(free_steps)},
    {Py_tp_traverse, slot(traverse_steps)},
    {Py_tp_clear, slot(clear_steps)},
    {Py_tp_methods, steps_methods},
    {Py_tp_members, steps_members},
    {Py_tp_getset, steps_fields},
    {0, nullptr},
};

constexpr unsigned int PLAIN = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE;

PyType_Spec bits_spec = {"neuroact.native._core.Bits", sizeof(Filler), 0, PLAIN, bits_slots};
PyType_Spec sums_spec = {"neuroact.native._core.Sums", sizeof(Filler), 0, PLAIN, sums_slots};
PyType_Spec steps_spec = {
    "neuroact.native._core.Steps", sizeof(Steps), 0,
    PLAIN | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL, steps_slots};

// For the tests, which compare the results of all sets of instructions: tell the set in use, and use
// another one if this processor has it.
PyObject* instructions(PyObject*, PyObject*) { return PyUnicode_FromString(INSTRUCTIONS[chosen]); }

PyObject* use_instructions(PyObject*, PyObject* name) {
  for (int at = BASELINE; at <= best_instructions(); ++at) {
    if (PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, INSTRUCTIONS[at]) == 0) {
      chosen = Instructions(at);
      Py_RETURN_TRUE;
    }
  }
  Py_RETURN_FALSE;
}

#define NEUROACT_LOOP(name, signature, says) \
  {#name, method(guard<name>), METH_FASTCALL, #name signature "\n--\n\n" says}

PyMethodDef functions[] = {
    NEUROACT_LOOP(
        add_arrivals, "(values, counts, /)", "Add what arrives, if it can be read and told apart."),
    NEUROACT_LOOP(add_events, "(words, events, /)", "Add each neuron's bits."),
    NEUROACT_LOOP(add_counts, "(words, counts, /)", "Add each word's bits."),
    NEUROACT_LOOP(
        add_first, "(words, fired, first, clock, /)", "Count first spikes at their steps."),
    NEUROACT_LOOP(
        add_steps, "(sums, clock, lengths, events, squares, observations, /)",
        "Add each step's events and their squares."),
    NEUROACT_LOOP(add_to_histogram, "(sums, lengths, histogram, /)", "Count each sum."),
    NEUROACT_LOOP(
        add_intervals,
        "(words, lengths, age, last, histogram, intervals, sums, squares, pairs, cv2, lv, /)",
        "Count the intervals that end in a block."),
    {"instructions", instructions, METH_NOARGS, "instructions()\n--\n\nThe set in use."},
    {"use_instructions", use_instructions, METH_O,
     "use_instructions(name, /)\n--\n\nUse another set, if this processor has it."},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_core", "The compiled core.", -1, functions, nullptr, nullptr, nullptr,
    nullptr};

bool add_type(PyObject* module, const char* name, PyType_Spec& spec, PyTypeObject*& type) {
  PyObject* made = PyType_FromSpec(&spec);
  if (made == nullptr || PyModule_AddObjectRef(module, name, made) != 0) return false;
  type = reinterpret_cast<PyTypeObject*>(made);
  return true;
}

PyObject* make_module() {
  Owned module(PyModule_Create(&definition));
  if (!module || !add_type(module.get(), "Bits", bits_spec, bits_type) ||
      !add_type(module.get(), "Sums", sums_spec, sums_type) ||
      !add_type(module.get(), "Steps", steps_spec, steps_type)) {
    return nullptr;
  }
  return module.release();
}

}  // namespace
}  // namespace neuroact

PyMODINIT_FUNC PyInit__core() { return neuroact::make_module(); }
