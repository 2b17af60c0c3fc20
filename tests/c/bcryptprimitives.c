/* The one function of Windows' bcryptprimitives.dll that Rust's standard library takes its random numbers from. Wine 8, as
   in Debian 12, does not have that library; a newer Wine takes its own. Only for running tests. */

#include <windows.h>
#include <ntsecapi.h>

__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE data, SIZE_T length) {
    return RtlGenRandom(data, (ULONG)length);
}
