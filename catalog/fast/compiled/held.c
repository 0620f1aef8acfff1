/* `find` for Python without giving up the GIL, for which other threads would compete after each lookup.
 *
 * It takes the address of an index that the cffi module has made, and a digest. It never waits for a disk: then, as for
 * all that ldcat_find leaves to Python, the answer is None, and the caller asks again without the GIL.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "finds.c"

static PyObject *find(PyObject *module, PyObject *const *arguments, Py_ssize_t count) {
    (void)module;
    if (count != 2 || !PyBytes_Check(arguments[1])) {
        PyErr_SetString(PyExc_TypeError, "find takes an address and bytes");
        return NULL;
    }
    const struct ldcat_index *index = PyLong_AsVoidPtr(arguments[0]);
    char *digest;
    Py_ssize_t size;
    if (PyErr_Occurred() || PyBytes_AsStringAndSize(arguments[1], &digest, &size) < 0)
        return NULL;
    if ((uint64_t)size != index->digest_size)
        return PyList_New(0);
    uint64_t row = ldcat_find(index, (const uint8_t *)digest, 0);
    if (row == LDCAT_ASK_PYTHON)
        Py_RETURN_NONE;
    PyObject *found = PyList_New(row != LDCAT_NOT_FOUND), *number;
    if (!found || row == LDCAT_NOT_FOUND)
        return found;
    number = PyLong_FromUnsignedLongLong(row);
    if (!number || PyList_SetItem(found, 0, number) < 0) {
        Py_DECREF(found);
        return NULL;
    }
    return found;
}

static PyMethodDef methods[] = {
    {"find", (PyCFunction)(void (*)(void))find, METH_FASTCALL, NULL},
    {NULL, NULL, 0, NULL},
};
static PyModuleDef_Slot slots[] = {
#ifdef Py_GIL_DISABLED
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
#endif
    {0, NULL},
};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_held", NULL, 0, methods, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__held(void) {
    return PyModuleDef_Init(&definition);
}
