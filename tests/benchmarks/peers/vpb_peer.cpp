/* What libvpb's caller-ID decoder reads in clips of audio, as lines of text; it needs none of its hardware.

   vpb_peer < clips

   A clip on stdin: its number of samples (int32), then the samples (int16), 8 kHz, native order. On stdout, for
   each clip in which it finds a caller, tabs between the fields:

     CLIP DATE_TIME NUMBER NAME
*/
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <vector>

#include <vpbapi.h>

int main()
{
    int32_t length;
    for (int clip = 0; fread(&length, sizeof length, 1, stdin) == 1; clip++) {
        std::vector<short> samples(length + 4000); /* half a second of silence follows */
        if (fread(samples.data(), sizeof(short), length, stdin) != (size_t)length)
            return EXIT_FAILURE;
        VPB_CID found;
        int said = -1;
        try {
            said = vpb_cid_decode2(&found, samples.data(), (int)samples.size());
        } catch (...) { /* it throws where there is nothing to read */
        }
        if (said == VPB_OK)
            printf("%d\t%s\t%s\t%s\n", clip, found.date_time, found.cldn, found.cn);
    }
    return EXIT_SUCCESS;
}
