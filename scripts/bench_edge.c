/* Times NAME.c on a file of samples: prints samples a CPU second one at a time, and all in one call. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "mnist_tfc.h"

#define ROUNDS 60

static double seconds(clock_t start, clock_t end)
{
    return (double)(end - start) / CLOCKS_PER_SEC;
}

int main(int argc, char **argv)
{
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
    uint8_t *samples = malloc(10000 * MNIST_TFC_FEATURES);
    int *classes = malloc(10000 * sizeof *classes);
    double one = 1e9, all = 1e9;
    long sum = 0;
    if (file == NULL || samples == NULL || classes == NULL) {
        return 2;
    }
    const size_t count = fread(samples, MNIST_TFC_FEATURES, 10000, file);
    for (int round = 0; round < ROUNDS; round++) {
        const clock_t start = clock();
        for (size_t i = 0; i < count; i++) {
            sum += mnist_tfc_classify(samples + i * MNIST_TFC_FEATURES);
        }
        const clock_t middle = clock();
        mnist_tfc_classify_batch(samples, count, classes);
        const clock_t end = clock();
        one = seconds(start, middle) < one ? seconds(start, middle) : one;
        all = seconds(middle, end) < all ? seconds(middle, end) : all;
        for (size_t i = 0; i < count; i++) {
            sum -= classes[i];
        }
    }
    printf("%f %f\n", (double)count / one, (double)count / all);
    return sum != 0;
}
