/* What spandsp finds in clips of audio, or what it costs, as lines of text.

   spandsp_peer callers|keys|keys-filtered|tones < clips
   spandsp_peer cost BLOCK < clips               (all clips are lines of one length, BLOCK samples at a time)

   A clip on stdin: its number of samples (int32), then the samples (int16), 8 kHz, native order. On stdout:

     callers   CLIP STANDARD HEX     every message whose checksum holds
     keys      CLIP KEYS
     tones     CLIP NAME             each time a tone is recognised
     cost      MICROSECONDS          of CPU per second of one line: keys, both caller-ID receivers, tones
*/
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SPANDSP_EXPOSE_INTERNAL_STRUCTURES
#include <spandsp.h>

enum { STEP = 160, MOST_CLIPS = 4096 };

static const char *const TONES[] = {"dial", "ringback", "busy", "congestion", "sit"};
static int current;

struct sender {
    const char *standard;
};

static void message(void *user, const uint8_t *bytes, int length)
{
    const struct sender *sender = user;
    printf("%d %s ", current, sender->standard);
    for (int at = 0; at < length; at++)
        printf("%02x", bytes[at]);
    printf("\n");
}

static void no_message(void *user, const uint8_t *bytes, int length)
{
    (void)user, (void)bytes, (void)length;
}

static void keys(void *user, const char *digits, int length)
{
    (void)user;
    printf("%d %.*s\n", current, length, digits);
}

static void no_keys(void *user, const char *digits, int length)
{
    (void)user, (void)digits, (void)length;
}

static void tone(void *user, int code, int level, int delay)
{
    (void)user, (void)level, (void)delay;
    if (code >= 0 && code < 5)
        printf("%d %s\n", current, TONES[code]);
}

static void no_tone(void *user, int code, int level, int delay)
{
    (void)user, (void)code, (void)level, (void)delay;
}

/* On and off of one cadence in ms, 20 % either way; an off of 0 is a continuous tone. */
static void add_cadence(super_tone_rx_descriptor_t *set, int hz, int on_ms, int off_ms)
{
    int id = super_tone_rx_add_tone(set);
    if (off_ms == 0) {
        super_tone_rx_add_element(set, id, hz, 0, on_ms, 0);
        return;
    }
    super_tone_rx_add_element(set, id, hz, 0, on_ms * 8 / 10, on_ms * 12 / 10);
    super_tone_rx_add_element(set, id, 0, 0, off_ms * 8 / 10, off_ms * 12 / 10);
}

/* China, and the information tone: with one frequency alone any energy counts as that tone. */
static super_tone_rx_descriptor_t *tone_set(void)
{
    super_tone_rx_descriptor_t *set = super_tone_rx_make_descriptor(NULL);
    add_cadence(set, 450, 1500, 0);
    add_cadence(set, 450, 1000, 4000);
    add_cadence(set, 450, 350, 350);
    add_cadence(set, 450, 700, 700);
    int id = super_tone_rx_add_tone(set);
    super_tone_rx_add_element(set, id, 950, 0, 270, 390);
    super_tone_rx_add_element(set, id, 1400, 0, 270, 390);
    super_tone_rx_add_element(set, id, 1800, 0, 270, 390);
    return set;
}

static int16_t *read_clip(int32_t *count)
{
    if (fread(count, sizeof *count, 1, stdin) != 1)
        return NULL;
    int16_t *samples = malloc(sizeof *samples * (*count + STEP));
    if (samples == NULL || fread(samples, sizeof *samples, *count, stdin) != (size_t)*count) {
        fprintf(stderr, "spandsp_peer: clip %d breaks off\n", current);
        exit(1);
    }
    return samples;
}

static void find_callers(const int16_t *samples, int count)
{
    struct sender bell = {"bell202"}, v23 = {"v23"};
    adsi_rx_state_t *class_rx = adsi_rx_init(NULL, ADSI_STANDARD_CLASS, message, &bell);
    adsi_rx_state_t *clip_rx = adsi_rx_init(NULL, ADSI_STANDARD_CLIP, message, &v23);
    for (int at = 0; at < count; at += STEP) {
        int length = count - at < STEP ? count - at : STEP;
        adsi_rx(class_rx, samples + at, length);
        adsi_rx(clip_rx, samples + at, length);
    }
    int16_t silence[STEP] = {0};
    for (int at = 0; at < 25; at++) {
        adsi_rx(class_rx, silence, STEP);
        adsi_rx(clip_rx, silence, STEP);
    }
    adsi_rx_free(class_rx);
    adsi_rx_free(clip_rx);
}

static void find_keys(const int16_t *samples, int count, int filtered)
{
    dtmf_rx_state_t *rx = dtmf_rx_init(NULL, keys, NULL);
    dtmf_rx_parms(rx, filtered, -1, -1, -99);
    for (int at = 0; at < count; at += STEP)
        dtmf_rx(rx, samples + at, count - at < STEP ? count - at : STEP);
    dtmf_rx_free(rx);
}

static void find_tones(const int16_t *samples, int count, super_tone_rx_descriptor_t *set)
{
    super_tone_rx_state_t *rx = super_tone_rx_init(NULL, set, tone, NULL);
    for (int at = 0; at < count; at += STEP)
        super_tone_rx(rx, samples + at, count - at < STEP ? count - at : STEP);
    super_tone_rx_free(rx);
}

struct line {
    int16_t *samples;
    adsi_rx_state_t *class_rx, *clip_rx;
    dtmf_rx_state_t *keys_rx;
    super_tone_rx_state_t *tones_rx;
};

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

static void cost(int block)
{
    static struct line lines[MOST_CLIPS];
    int count = 0;
    int32_t length = 0;
    super_tone_rx_descriptor_t *set = tone_set();
    while (count < MOST_CLIPS && (lines[count].samples = read_clip(&length)) != NULL) {
        struct line *line = &lines[count++];
        line->class_rx = adsi_rx_init(NULL, ADSI_STANDARD_CLASS, no_message, NULL);
        line->clip_rx = adsi_rx_init(NULL, ADSI_STANDARD_CLIP, no_message, NULL);
        line->keys_rx = dtmf_rx_init(NULL, no_keys, NULL);
        line->tones_rx = super_tone_rx_init(NULL, set, no_tone, NULL);
    }
    double before = cpu_s();
    for (int at = 0; at + block <= length; at += block)
        for (int one = 0; one < count; one++) {
            const struct line *line = &lines[one];
            dtmf_rx(line->keys_rx, line->samples + at, block);
            adsi_rx(line->class_rx, line->samples + at, block);
            adsi_rx(line->clip_rx, line->samples + at, block);
            super_tone_rx(line->tones_rx, line->samples + at, block);
        }
    printf("%.3f\n", (cpu_s() - before) * 1e6 / count / (length / 8000.0));
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "cost") == 0 && argc > 2) {
        cost(atoi(argv[2]));
        return 0;
    }
    super_tone_rx_descriptor_t *set = tone_set();
    int32_t count;
    for (int16_t *samples; (samples = read_clip(&count)) != NULL; free(samples), current++) {
        if (strcmp(what, "callers") == 0)
            find_callers(samples, count);
        else if (strcmp(what, "keys") == 0)
            find_keys(samples, count, 0);
        else if (strcmp(what, "keys-filtered") == 0)
            find_keys(samples, count, 1);
        else if (strcmp(what, "tones") == 0)
            find_tones(samples, count, set);
        else {
            fprintf(stderr, "spandsp_peer: callers, keys, keys-filtered, tones or cost BLOCK, got %s\n", what);
            return 2;
        }
    }
    return 0;
}
