/* A PKCS#11 module that stands before another one and misbehaves on request: what a token of hardware may
 * do and SoftHSM2 never does. For tests only.
 *
 * FAULT_MODULE    the module behind it
 * FAULT_SESSIONS  how many sessions may be open at a time
 * FAULT_LOGIN     what C_Login returns, in place of trying the PIN
 * FAULT_SIGN      how many signatures are made before each one fails with CKR_DEVICE_ERROR
 * FAULT_WRONG     if set, signatures have a wrong octet
 * FAULT_AWAY      if set, there is no token
 * FAULT_SLOT      if set, a slot comes first that answers CKR_TOKEN_NOT_RECOGNIZED
 * FAULT_LOG       a file that gets a line for each C_Login
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned long ulong;

/* CK_FUNCTION_LIST of PKCS#11 2.40: a version, and pointers in the order of the standard. */
enum { GET_FUNCTION_LIST = 3, GET_SLOT_LIST = 4, GET_TOKEN_INFO = 6, OPEN_SESSION = 12,
       CLOSE_SESSION = 13, LOGIN = 18, SIGN = 43, FUNCTIONS = 68 };
struct list { unsigned char version[8]; void *functions[FUNCTIONS]; };

enum { DEVICE_ERROR = 0x30, SESSION_COUNT = 0xB1, TOKEN_NOT_RECOGNIZED = 0xE1 };
static const ulong ODD_SLOT = 0x7FFF0000;

static struct list shown, *behind;
static ulong sessions, signatures;

static long setting(const char *name)
{
    const char *value = getenv(name);
    return value ? strtol(value, NULL, 0) : -1;
}

static ulong get_slot_list(unsigned char present, ulong *slots, ulong *count)
{
    if (setting("FAULT_AWAY") >= 0) {
        *count = 0;
        return 0;
    }
    ulong odd = setting("FAULT_SLOT") >= 0;
    if (slots && odd) {
        slots[0] = ODD_SLOT;
        *count -= 1;
    }
    ulong (*real)(unsigned char, ulong *, ulong *) = behind->functions[GET_SLOT_LIST];
    ulong result = real(present, slots ? slots + odd : NULL, count);
    *count += odd;
    return result;
}

static ulong get_token_info(ulong slot, void *info)
{
    if (slot == ODD_SLOT)
        return TOKEN_NOT_RECOGNIZED;
    ulong (*real)(ulong, void *) = behind->functions[GET_TOKEN_INFO];
    return real(slot, info);
}

static ulong open_session(ulong slot, ulong flags, void *application, void *notify, ulong *session)
{
    long most = setting("FAULT_SESSIONS");
    if (most >= 0 && __atomic_add_fetch(&sessions, 1, __ATOMIC_SEQ_CST) > (ulong)most) {
        __atomic_sub_fetch(&sessions, 1, __ATOMIC_SEQ_CST);
        return SESSION_COUNT;
    }
    ulong (*real)(ulong, ulong, void *, void *, ulong *) = behind->functions[OPEN_SESSION];
    return real(slot, flags, application, notify, session);
}

static ulong close_session(ulong session)
{
    __atomic_sub_fetch(&sessions, 1, __ATOMIC_SEQ_CST);
    ulong (*real)(ulong) = behind->functions[CLOSE_SESSION];
    return real(session);
}

static ulong login(ulong session, ulong user, void *pin, ulong length)
{
    const char *path = getenv("FAULT_LOG");
    FILE *log = path ? fopen(path, "a") : NULL;
    if (log) {
        fputs("login\n", log);
        fclose(log);
    }
    if (setting("FAULT_LOGIN") >= 0)
        return (ulong)setting("FAULT_LOGIN");
    ulong (*real)(ulong, ulong, void *, ulong) = behind->functions[LOGIN];
    return real(session, user, pin, length);
}

static ulong sign(ulong session, void *data, ulong length, unsigned char *signature, ulong *size)
{
    long most = setting("FAULT_SIGN");
    if (signature && most >= 0
        && __atomic_fetch_add(&signatures, 1, __ATOMIC_SEQ_CST) >= (ulong)most)
        return DEVICE_ERROR;
    ulong (*real)(ulong, void *, ulong, void *, ulong *) = behind->functions[SIGN];
    ulong result = real(session, data, length, signature, size);
    if (signature && result == 0 && setting("FAULT_WRONG") >= 0)
        signature[*size - 1] ^= 1;
    return result;
}

ulong C_GetFunctionList(struct list **list)
{
    void *library = dlopen(getenv("FAULT_MODULE"), RTLD_NOW);
    ulong (*real)(struct list **) = library ? dlsym(library, "C_GetFunctionList") : NULL;
    if (!real || real(&behind))
        return DEVICE_ERROR;
    memcpy(&shown, behind, sizeof shown);
    shown.functions[GET_FUNCTION_LIST] = C_GetFunctionList;
    shown.functions[GET_SLOT_LIST] = get_slot_list;
    shown.functions[GET_TOKEN_INFO] = get_token_info;
    shown.functions[OPEN_SESSION] = open_session;
    shown.functions[CLOSE_SESSION] = close_session;
    shown.functions[LOGIN] = login;
    shown.functions[SIGN] = sign;
    *list = &shown;
    return 0;
}
