/* The virtual HAT's sound card: an ALSA plug-in (ioplug) over a ring file in shared memory.
 *
 * The product opens it through libasound like any card. Frame number = time since the epoch x speed x rate,
 * so the exchange that writes the ring and the recorder that reads it agree on time without talking.
 * One ring file serves one direction; hw/virtual/ring.py is the other side of this layout.
 *
 *     byte  0  u32  magic "VHAT"              48  u64  written      frames below this hold audio
 *           4  u32  version 1                 56  u32  overruns     +1 = the next poll finds an overrun
 *           8  u32  rate in Hz                60  u32  gone         1 = unplugged
 *          12  u32  channels                  64  u64  starved      frames asked for but not yet written
 *          16  u32  frames in the ring        72  ...  zero
 *          20  u32  clock turn (odd = the next three are being changed)
 *          24  u64  epoch, CLOCK_MONOTONIC ns
 *          32  u64  frame at the epoch
 *          40  f64  speed (1 = real time)
 *        4096  i16  frames x channels, interleaved; frame n lies at n modulo frames
 *
 * All numbers are little-endian and aligned. S16 only, one rate and one channel count per ring, as on a card.
 * An ALSA buffer may take at most half of the ring; the other half is the writer's lead.
 */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include <alsa/asoundlib.h>
#include <alsa/pcm_external.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define RING_MAGIC 0x54414856u
#define RING_VERSION 1u
#define HEADER_BYTES 4096u
#define MIN_PERIOD_FRAMES 16u
#define MAX_PERIODS 1024u

struct ring_header {
  uint32_t magic, version, rate, channels, frames, clock_turn;
  uint64_t epoch_ns, epoch_frame;
  double speed;
  uint64_t written;
  uint32_t overruns, gone;
  uint64_t starved;
};
_Static_assert(sizeof(struct ring_header) == 72, "ring.py reads this layout");

struct vhat {
  snd_pcm_ioplug_t io; /* first: freed together */
  int ring_fd, timer_fd;
  struct ring_header *header;
  size_t mapped_bytes;
  size_t frame_bytes;
  uint64_t base; /* position of the first frame of this run */
  uint64_t done; /* frames moved since then */
  uint32_t overruns_seen;
  snd_pcm_uframes_t avail_min, boundary;
  int running;
};

struct clock {
  uint64_t epoch_ns, epoch_frame;
  double frames_per_ns;
};

static struct clock read_clock(const struct ring_header *h) {
  struct clock c;
  uint32_t turn;
  do {
    turn = __atomic_load_n(&h->clock_turn, __ATOMIC_ACQUIRE) & ~1u; /* odd never compares equal */
    c.epoch_ns = h->epoch_ns;
    c.epoch_frame = h->epoch_frame;
    c.frames_per_ns = h->speed * h->rate / 1e9;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
  } while (turn != __atomic_load_n(&h->clock_turn, __ATOMIC_RELAXED));
  return c;
}

static uint64_t monotonic_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t position_now(const struct vhat *v) {
  struct clock c = read_clock(v->header);
  uint64_t now_ns = monotonic_ns();
  if (now_ns <= c.epoch_ns) return c.epoch_frame;
  return c.epoch_frame + (uint64_t)((double)(now_ns - c.epoch_ns) * c.frames_per_ns);
}

static int is_gone(const struct vhat *v) { return __atomic_load_n(&v->header->gone, __ATOMIC_ACQUIRE) != 0; }

static int is_capture(const struct vhat *v) { return v->io.stream == SND_PCM_STREAM_CAPTURE; }

/* The position at which the application has something to do: a period to read, room to write, or all played. */
static uint64_t wake_position(const struct vhat *v) {
  uint64_t end = v->base + v->done;
  if (is_capture(v)) return end + v->avail_min;
  if (v->io.state == SND_PCM_STATE_DRAINING) return end;
  uint64_t room_from = end + v->avail_min;
  return room_from > v->io.buffer_size ? room_from - v->io.buffer_size : 0;
}

/* Makes the poll descriptor readable from wake_position on; a playback that has not begun is ready at once. */
static void arm(struct vhat *v) {
  struct itimerspec at = {{0, 0}, {0, 1}};
  if (v->running) {
    struct clock c = read_clock(v->header);
    uint64_t wake = wake_position(v);
    if (wake > c.epoch_frame) {
      uint64_t wake_ns = c.epoch_ns + (uint64_t)ceil((double)(wake - c.epoch_frame) / c.frames_per_ns);
      at.it_value.tv_sec = (time_t)(wake_ns / 1000000000u);
      at.it_value.tv_nsec = (long)(wake_ns % 1000000000u);
    }
  } else if (is_capture(v)) {
    at.it_value.tv_nsec = 0; /* disarmed until the start */
  }
  timerfd_settime(v->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

static int vhat_start(snd_pcm_ioplug_t *io) {
  struct vhat *v = io->private_data;
  if (is_gone(v)) return -ENODEV;
  if (is_capture(v) || v->done == 0) v->base = position_now(v); /* playback runs from its first write */
  v->overruns_seen = __atomic_load_n(&v->header->overruns, __ATOMIC_ACQUIRE);
  v->running = 1;
  arm(v);
  return 0;
}

static int vhat_stop(snd_pcm_ioplug_t *io) {
  struct vhat *v = io->private_data;
  v->running = 0;
  arm(v);
  return 0;
}

/* Any error here becomes XRUN inside ioplug, so an unplugged card is reported by transfer and prepare. */
static snd_pcm_sframes_t vhat_pointer(snd_pcm_ioplug_t *io) {
  struct vhat *v = io->private_data;
  if (!v->running) return 0;
  uint32_t overruns = __atomic_load_n(&v->header->overruns, __ATOMIC_ACQUIRE);
  if (overruns != v->overruns_seen) {
    v->overruns_seen = overruns;
    return -EPIPE;
  }
  uint64_t now = position_now(v);
  uint64_t passed = now > v->base ? now - v->base : 0;
  if (is_capture(v)) {
    if (passed > v->done + io->buffer_size) return -EPIPE;
  } else if (passed > v->done) {
    return -EPIPE;
  }
  return (snd_pcm_sframes_t)(passed % v->boundary);
}

/* Copies n frames between `app` and ring position `from`, in whole runs up to the end of the ring. */
static void move_frames(struct vhat *v, char *app, uint64_t from, uint64_t n) {
  char *ring = (char *)v->header + HEADER_BYTES;
  while (n) {
    uint64_t at = from % v->header->frames;
    uint64_t run = v->header->frames - at < n ? v->header->frames - at : n;
    if (is_capture(v))
      memcpy(app, ring + at * v->frame_bytes, run * v->frame_bytes);
    else
      memcpy(ring + at * v->frame_bytes, app, run * v->frame_bytes);
    app += run * v->frame_bytes;
    from += run;
    n -= run;
  }
}

/* Old audio must never be heard again: what nobody wrote in time is silence, and counted. */
static void capture_frames(struct vhat *v, char *app, uint64_t from, uint64_t n) {
  uint64_t written = __atomic_load_n(&v->header->written, __ATOMIC_ACQUIRE);
  uint64_t ready = written > from ? written - from : 0;
  if (ready > n) ready = n;
  move_frames(v, app, from, ready);
  if (ready < n) {
    memset(app + ready * v->frame_bytes, 0, (n - ready) * v->frame_bytes);
    __atomic_fetch_add(&v->header->starved, n - ready, __ATOMIC_RELAXED);
  }
}

static snd_pcm_sframes_t vhat_transfer(snd_pcm_ioplug_t *io, const snd_pcm_channel_area_t *areas,
                                       snd_pcm_uframes_t offset, snd_pcm_uframes_t size) {
  struct vhat *v = io->private_data;
  if (is_gone(v)) return -ENODEV;
  char *app = (char *)areas->addr + (areas->first + areas->step * offset) / 8;
  if (is_capture(v)) {
    capture_frames(v, app, v->base + v->done, size);
  } else {
    if (!v->running && v->done == 0) v->base = position_now(v);
    move_frames(v, app, v->base + v->done, size);
    __atomic_store_n(&v->header->written, v->base + v->done + size, __ATOMIC_RELEASE);
  }
  v->done += size;
  arm(v);
  return (snd_pcm_sframes_t)size;
}

static int vhat_prepare(snd_pcm_ioplug_t *io) {
  struct vhat *v = io->private_data;
  if (is_gone(v)) return -ENODEV;
  v->running = 0;
  v->base = v->done = 0;
  arm(v);
  return 0;
}

static int vhat_sw_params(snd_pcm_ioplug_t *io, snd_pcm_sw_params_t *params) {
  struct vhat *v = io->private_data;
  int err = snd_pcm_sw_params_get_avail_min(params, &v->avail_min);
  return err < 0 ? err : snd_pcm_sw_params_get_boundary(params, &v->boundary);
}

static int vhat_poll_revents(snd_pcm_ioplug_t *io, struct pollfd *fds, unsigned int count, unsigned short *revents) {
  struct vhat *v = io->private_data;
  *revents = 0;
  if (count != 1) return -EINVAL;
  if (!(fds[0].revents & POLLIN)) return 0;
  if (v->running && !is_gone(v) && position_now(v) < wake_position(v))
    arm(v); /* the speed was changed, or a drain has begun */
  else
    *revents = is_capture(v) ? POLLIN : POLLOUT;
  return 0;
}

static void release(struct vhat *v) {
  if (v->header) munmap(v->header, v->mapped_bytes);
  if (v->timer_fd >= 0) close(v->timer_fd);
  if (v->ring_fd >= 0) close(v->ring_fd);
  free(v);
}

static int vhat_close(snd_pcm_ioplug_t *io) {
  release(io->private_data);
  return 0;
}

static const snd_pcm_ioplug_callback_t callbacks = {
    .start = vhat_start,
    .stop = vhat_stop,
    .pointer = vhat_pointer,
    .transfer = vhat_transfer,
    .close = vhat_close,
    .prepare = vhat_prepare,
    .sw_params = vhat_sw_params,
    .poll_revents = vhat_poll_revents,
};

static int check_header(const struct ring_header *h, size_t bytes, const char *path) {
  const char *wrong = NULL;
  if (h->magic != RING_MAGIC)
    wrong = "no ring of a virtual HAT";
  else if (h->version != RING_VERSION)
    wrong = "a ring of another version";
  else if (h->rate < 4000 || h->rate > 192000 || h->channels < 1 || h->channels > 64)
    wrong = "a rate outside 4000-192000 Hz or channels outside 1-64";
  else if (h->frames < 4 * MIN_PERIOD_FRAMES ||
           (bytes - HEADER_BYTES) / (h->channels * sizeof(int16_t)) < h->frames)
    wrong = "fewer frames than its header says";
  else if (!(h->speed > 0) || !isfinite(h->speed))
    wrong = "a speed that is not above zero";
  if (!wrong) return 0;
  SNDERR("%s has %s", path, wrong);
  return -EINVAL;
}

/* One opener per direction, as on a card: the lock lives and dies with the open file. */
static int lock_direction(int fd, snd_pcm_stream_t stream) {
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)stream, .l_len = 1};
  if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return 0;
  return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

static int map_ring(struct vhat *v, const char *path, snd_pcm_stream_t stream) {
  struct stat status;
  v->ring_fd = open(path, O_RDWR | O_CLOEXEC);
  if (v->ring_fd < 0 || fstat(v->ring_fd, &status) < 0) return -errno;
  if (!S_ISREG(status.st_mode) || status.st_size <= (off_t)HEADER_BYTES) {
    SNDERR("%s is too short for a ring", path);
    return -EINVAL;
  }
  int err = lock_direction(v->ring_fd, stream);
  if (err < 0) return err;
  void *map = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, v->ring_fd, 0);
  if (map == MAP_FAILED) return -errno;
  v->header = map;
  v->mapped_bytes = (size_t)status.st_size;
  err = check_header(v->header, v->mapped_bytes, path);
  if (err < 0) return err;
  v->frame_bytes = v->header->channels * sizeof(int16_t);
  return is_gone(v) ? -ENODEV : 0;
}

static int set_limits(struct vhat *v) {
  static const unsigned access[] = {SND_PCM_ACCESS_RW_INTERLEAVED}, format[] = {SND_PCM_FORMAT_S16_LE};
  const unsigned channels = v->header->channels, rate = v->header->rate, frame = (unsigned)v->frame_bytes;
  const unsigned max_buffer = v->header->frames / 2 * frame, min_period = MIN_PERIOD_FRAMES * frame;
  int err = snd_pcm_ioplug_set_param_list(&v->io, SND_PCM_IOPLUG_HW_ACCESS, 1, access);
  if (err < 0) return err;
  err = snd_pcm_ioplug_set_param_list(&v->io, SND_PCM_IOPLUG_HW_FORMAT, 1, format);
  if (err < 0) return err;
  err = snd_pcm_ioplug_set_param_minmax(&v->io, SND_PCM_IOPLUG_HW_CHANNELS, channels, channels);
  if (err < 0) return err;
  err = snd_pcm_ioplug_set_param_minmax(&v->io, SND_PCM_IOPLUG_HW_RATE, rate, rate);
  if (err < 0) return err;
  err = snd_pcm_ioplug_set_param_minmax(&v->io, SND_PCM_IOPLUG_HW_PERIOD_BYTES, min_period, max_buffer / 2);
  if (err < 0) return err;
  err = snd_pcm_ioplug_set_param_minmax(&v->io, SND_PCM_IOPLUG_HW_BUFFER_BYTES, 2 * min_period, max_buffer);
  if (err < 0) return err;
  return snd_pcm_ioplug_set_param_minmax(&v->io, SND_PCM_IOPLUG_HW_PERIODS, 2, MAX_PERIODS);
}

static int ring_of(snd_config_t *conf, const char **ring) {
  snd_config_iterator_t i, next;
  *ring = NULL;
  snd_config_for_each(i, next, conf) {
    snd_config_t *entry = snd_config_iterator_entry(i);
    const char *id;
    if (snd_config_get_id(entry, &id) < 0) continue;
    if (!strcmp(id, "comment") || !strcmp(id, "type") || !strcmp(id, "hint")) continue;
    if (strcmp(id, "ring") || snd_config_get_string(entry, ring) < 0) {
      SNDERR("type vhat takes one string called ring, got field %s", id);
      return -EINVAL;
    }
  }
  if (*ring) return 0;
  SNDERR("type vhat needs a field called ring: the path of the ring file");
  return -EINVAL;
}

static int open_card(struct vhat *v, const char *ring, const char *name, snd_pcm_stream_t stream, int mode) {
  int err = map_ring(v, ring, stream);
  if (err < 0) return err;
  v->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (v->timer_fd < 0) return -errno;
  v->avail_min = v->boundary = 1;
  v->io.version = SND_PCM_IOPLUG_VERSION;
  v->io.name = "virtual telephone HAT";
  v->io.flags = SND_PCM_IOPLUG_FLAG_MONOTONIC | SND_PCM_IOPLUG_FLAG_BOUNDARY_WA;
  v->io.callback = &callbacks;
  v->io.private_data = v;
  v->io.poll_fd = v->timer_fd;
  v->io.poll_events = POLLIN;
  return snd_pcm_ioplug_create(&v->io, name, stream, mode);
}

SND_PCM_PLUGIN_DEFINE_FUNC(vhat) {
  const char *ring;
  (void)root;
  int err = ring_of(conf, &ring);
  if (err < 0) return err;
  struct vhat *v = calloc(1, sizeof *v);
  if (!v) return -ENOMEM;
  v->ring_fd = v->timer_fd = -1;
  err = open_card(v, ring, name, stream, mode);
  if (err < 0) {
    release(v);
    return err;
  }
  err = set_limits(v);
  if (err < 0) {
    snd_pcm_ioplug_delete(&v->io); /* calls close, which releases */
    return err;
  }
  *pcmp = v->io.pcm;
  return 0;
}
SND_PCM_PLUGIN_SYMBOL(vhat);
