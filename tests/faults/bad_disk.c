/* LD_PRELOAD: a disk that fails when it is told to, for files below one folder.
 *
 * BAD_DISK names a file of these numbers, which a test may change at any time; BAD_DISK_BELOW the folder.
 *
 *     byte 0  i32  which        sum of 1 .part, 2 branch.db and its log, 4 .encoding
 *          4  i32  write_errno  0 = writes work
 *          8  i32  sync_errno   0 = fsync works
 *         12  i32  sync_ms      an fsync takes so long
 *         16  u32  refused      writes and fsyncs that failed
 *
 * An fsync that fails loses what was written since the last good one, as Linux may: the pages count as clean,
 * their content never reaches the disk, and the next fsync says that all is well. Here they become zeros.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define FILES 1024
#define RANGES 8192

struct control {
  int32_t which, write_errno, sync_errno, sync_ms;
  uint32_t refused;
};
struct range {
  off_t at;
  size_t length;
};

static struct control *control;
static const char *below;
static struct range *unsynced[FILES];
static int count[FILES];
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fsync)(int), (*real_fdatasync)(int), (*real_close)(int);

__attribute__((constructor)) static void begin(void) {
  real_write = dlsym(RTLD_NEXT, "write");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_close = dlsym(RTLD_NEXT, "close");
  const char *path = getenv("BAD_DISK");
  below = getenv("BAD_DISK_BELOW");
  int fd = path && below ? open(path, O_RDWR) : -1;
  if (fd < 0) return;
  void *map = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map != MAP_FAILED) control = map;
  real_close(fd);
}

static int is_ours(int fd) {
  char link[64] = "/proc/self/fd/", path[4096], digits[12];
  if (!control || !control->which || fd < 0 || fd >= FILES) return 0;
  int at = 0, left = fd;
  do digits[at++] = (char)('0' + left % 10);
  while (left /= 10);
  for (size_t end = strlen(link); at; link[end] = 0) link[end++] = digits[--at];
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  if (strncmp(path, below, strlen(below))) return 0;
  return (control->which & 1 && strstr(path, ".part")) || (control->which & 2 && strstr(path, "branch.db")) ||
         (control->which & 4 && strstr(path, ".encoding"));
}

static int refuse(int why) {
  __atomic_fetch_add(&control->refused, 1, __ATOMIC_RELAXED);
  errno = why;
  return -1;
}

static void remember(int fd, off_t at, ssize_t length) {
  if (length <= 0 || !control || fd < 0 || fd >= FILES) return;
  if (!unsynced[fd]) unsynced[fd] = malloc(RANGES * sizeof(struct range));
  if (unsynced[fd] && count[fd] < RANGES) unsynced[fd][count[fd]++] = (struct range){at, (size_t)length};
}

static void drop(int fd) {
  static const char zeros[1 << 16];
  for (int i = 0; i < count[fd]; i++)
    for (size_t done = 0; done < unsynced[fd][i].length;) {
      size_t left = unsynced[fd][i].length - done, piece = left < sizeof zeros ? left : sizeof zeros;
      real_pwrite(fd, zeros, piece, unsynced[fd][i].at + (off_t)done);
      done += piece;
    }
  count[fd] = 0;
}

static int synced(int fd, int (*real)(int)) {
  if (is_ours(fd)) {
    struct timespec pause = {control->sync_ms / 1000, control->sync_ms % 1000 * 1000000L};
    if (control->sync_ms) nanosleep(&pause, NULL);
    if (control->sync_errno) {
      drop(fd);
      return refuse(control->sync_errno);
    }
  }
  int result = real(fd);
  if (!result && fd >= 0 && fd < FILES) count[fd] = 0;
  return result;
}

ssize_t write(int fd, const void *data, size_t length) {
  if (is_ours(fd) && control->write_errno) return refuse(control->write_errno);
  ssize_t done = real_write(fd, data, length);
  if (control && control->which && done > 0 && is_ours(fd)) remember(fd, lseek(fd, 0, SEEK_CUR) - done, done);
  return done;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off_t at) {
  if (is_ours(fd) && control->write_errno) return refuse(control->write_errno);
  ssize_t done = real_pwrite(fd, data, length, at);
  remember(fd, at, done);
  return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t at) { return pwrite64(fd, data, length, at); }

int fsync(int fd) { return synced(fd, real_fsync); }

int fdatasync(int fd) { return synced(fd, real_fdatasync); }

int close(int fd) {
  if (fd >= 0 && fd < FILES) count[fd] = 0;
  return real_close(fd);
}
