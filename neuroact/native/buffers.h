// The arrays that Python passes: contiguous and of the expected dtype and shape, or an error.

#pragma once

#include "python.h"

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

namespace neuroact {

template <typename Number>
struct Array {
  Number* data = nullptr;
  std::vector<int64_t> shape;
};

template <typename Number>
struct Format;
template <>
struct Format<uint64_t> {
  static constexpr const char *NAME = "uint64", *CODES = "LQ";
};
template <>
struct Format<int64_t> {
  static constexpr const char *NAME = "int64", *CODES = "lq";
};
template <>
struct Format<int32_t> {
  static constexpr const char *NAME = "int32", *CODES = "il";
};
template <>
struct Format<uint8_t> {
  static constexpr const char *NAME = "bool or uint8", *CODES = "?B";
};

constexpr int64_t ANY = -1;  // any size is accepted

enum Dimensions { AS_IS, FLAT };  // FLAT: any shape with that number of values

// The arguments of a call, taken one after the other and held until the call ends.
class Buffers {
 public:
  Buffers(PyObject* const* args, Py_ssize_t count, std::initializer_list<const char*> names)
      : args_(args), count_(size_t(count)), names_(names) {
    views_.reserve(names_.size());
  }
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;
  ~Buffers() {
    for (Py_buffer& view : views_) PyBuffer_Release(&view);
  }

  template <typename Number>
  bool write(Array<Number>& array, std::initializer_list<int64_t> sizes, Dimensions as = AS_IS) {
    return next(array, sizes, as, PyBUF_WRITABLE);
  }

  template <typename Number>
  bool read(Array<Number>& array, std::initializer_list<int64_t> sizes) {
    return next(array, sizes, AS_IS, 0);
  }

  // As `read`; None stands for no array.
  template <typename Number>
  bool read_some(Array<Number>& array, std::initializer_list<int64_t> sizes) {
    if (at_ < count_ && count_ == names_.size() && args_[at_] == Py_None) {
      ++at_;
      return true;
    }
    return read(array, sizes);
  }

 private:
  template <typename Number>
  bool next(Array<Number>& array, std::initializer_list<int64_t> sizes, Dimensions as, int flags) {
    if (count_ != names_.size()) {
      PyErr_Format(PyExc_TypeError, "expected %zu arguments, came %zu", names_.size(), count_);
      return false;
    }
    const char* name = names_[at_];
    Py_buffer view;
    flags |= PyBUF_C_CONTIGUOUS | PyBUF_FORMAT;
    if (PyObject_GetBuffer(args_[at_++], &view, flags) != 0) return false;
    views_.push_back(view);
    const std::vector<int64_t> found(view.shape, view.shape + view.ndim);
    bool fits = is_of<Number>(view);
    if (as == FLAT) {
      fits = fits && view.len == *sizes.begin() * int64_t(sizeof(Number));
    } else {
      fits = fits && found.size() == sizes.size();
      for (size_t at = 0; fits && at < found.size(); ++at) {
        fits = sizes.begin()[at] == ANY || sizes.begin()[at] == found[at];
      }
    }
    if (!fits) {
      PyErr_Format(
          PyExc_ValueError, "%s: expected %s %s, came format '%s' of %s", name,
          Format<Number>::NAME, text(sizes).c_str(), view.format, text(found).c_str());
      return false;
    }
    array.data = static_cast<Number*>(view.buf);
    array.shape = found;
    return true;
  }

  template <typename Number>
  static bool is_of(const Py_buffer& view) {
    const char* code = view.format;
    if (code == nullptr || view.itemsize != Py_ssize_t(sizeof(Number))) return false;
    if (*code == '@' || *code == '=') ++code;
    return code[0] != 0 && code[1] == 0 && std::strchr(Format<Number>::CODES, *code) != nullptr;
  }

  template <typename Sizes>
  static std::string text(const Sizes& sizes) {
    std::string said = "[";
    for (int64_t size : sizes) {
      if (said.size() > 1) said += ", ";
      said += size == ANY ? "any" : std::to_string(size);
    }
    return said + "]";
  }

  PyObject* const* args_;
  size_t count_, at_ = 0;
  std::vector<const char*> names_;
  std::vector<Py_buffer> views_;
};

}  // namespace neuroact
