// The instructions that the loops use, chosen when the module is loaded.
//
// Each loop is written once, as a body that is inlined into one function for every set of
// instructions; the compiler uses what the set offers. There is only one set if the compiler cannot
// compile a single function for another processor (MSVC), and on processors whose baseline is good
// (ARM).

#pragma once

#include <cstdint>

#if defined(_MSC_VER)
#define NEUROACT_INLINE __forceinline
#else
#define NEUROACT_INLINE inline __attribute__((always_inline))
#endif

// NEUROACT_PLAIN compiles as on a compiler without vectors and choice: tests compare the results.
#if defined(__GNUC__) && !defined(NEUROACT_PLAIN)
#define NEUROACT_VECTORS 1
#endif
#if defined(NEUROACT_VECTORS) && defined(__x86_64__)
#define NEUROACT_CHOICE 1
#define NEUROACT_AVX2 __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#define NEUROACT_AVX512 \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,bmi,bmi2,lzcnt,popcnt")))
#endif

namespace neuroact {

// Bytes of the vectors that the instructions work on.
constexpr int64_t BASELINE_BYTES = 16, AVX2_BYTES = 32, AVX512_BYTES = 64;

enum Instructions { BASELINE, AVX2, AVX512 };

// `Make(Name, BYTES, TARGET)` for every set of instructions that is compiled, in this order.
#if defined(NEUROACT_CHOICE)
#define NEUROACT_EACH(Make)              \
  Make(Baseline, BASELINE_BYTES, )       \
  Make(Avx2, AVX2_BYTES, NEUROACT_AVX2) \
  Make(Avx512, AVX512_BYTES, NEUROACT_AVX512)
#else
#define NEUROACT_EACH(Make) Make(Baseline, BASELINE_BYTES, )
#endif

constexpr const char* INSTRUCTIONS[] = {"baseline", "avx2", "avx512"};

// The largest set that the processor has and the operating system supports.
inline Instructions best_instructions() {
#if defined(NEUROACT_CHOICE)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi2") ||
      !__builtin_cpu_supports("popcnt")) {
    return BASELINE;
  }
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) {
    return AVX512;
  }
  return AVX2;
#else
  return BASELINE;
#endif
}

inline Instructions chosen = best_instructions();

}  // namespace neuroact
