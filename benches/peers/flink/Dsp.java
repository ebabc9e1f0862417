package peers;

import java.io.Serializable;

/** The signal processing. Samples and state are laid out with the channels innermost. */
interface Dsp extends Serializable {
    /** Filters {@code n} samples of {@code in} from sample {@code from} into {@code out} at sample {@code at}. */
    void filter(float[] in, int from, int n, float[] state, float[] out, int at);

    /** RMS and bin powers of a window of {@code n} samples. */
    void features(float[] window, int n, float[] out);

    /** The sum of a window's features. */
    double sum(float[] features);

    /** As plain loops, inner loops over channels so that the JIT may vectorise them. */
    final class Scalar implements Dsp {
        private static final int C = Work.CHANNELS;
        private final float[][] tables = {Work.table(13), Work.table(12)};

        @Override
        public void filter(float[] in, int from, int n, float[] state, float[] out, int at) {
            for (int c = 0; c < C; c++) {
                for (int s = 0; s < 4; s++) {
                    float[] k = Work.SECTIONS[s];
                    float b0 = k[0], b1 = k[1], b2 = k[2], a1 = k[3], a2 = k[4];
                    float z1 = state[s * 2 * C + c], z2 = state[(s * 2 + 1) * C + c];
                    float[] source = s == 0 ? in : out;
                    int read = (s == 0 ? from : at) * C + c, write = at * C + c;
                    for (int i = 0; i < n; i++, read += C, write += C) {
                        float x = source[read];
                        float y = b0 * x + z1;
                        z1 = b1 * x - a1 * y + z2;
                        z2 = b2 * x - a2 * y;
                        out[write] = y;
                    }
                    state[s * 2 * C + c] = z1;
                    state[(s * 2 + 1) * C + c] = z2;
                }
            }
        }

        @Override
        public void features(float[] window, int n, float[] out) {
            float[] table = tables[n == 13 ? 0 : 1];
            float scale = 1f / (n * n);
            for (int c = 0; c < C; c++) {
                float square = 0, sum = 0;
                for (int i = 0; i < n; i++) {
                    float x = window[i * C + c];
                    square += x * x;
                    sum += x;
                }
                out[c] = (float) Math.sqrt(square / n);
                out[C + c] = sum * sum * scale;
                for (int k = 1; k < Work.BINS; k++) {
                    float re = 0, im = 0;
                    for (int i = 0; i < n; i++) {
                        float x = window[i * C + c];
                        re += x * table[i * 12 + 2 * k - 2];
                        im += x * table[i * 12 + 2 * k - 1];
                    }
                    out[(1 + k) * C + c] = (re * re + im * im) * scale;
                }
            }
        }

        @Override
        public double sum(float[] features) {
            double a = 0, b = 0, c = 0, d = 0;
            for (int i = 0; i < features.length; i += 4) {
                a += features[i];
                b += features[i + 1];
                c += features[i + 2];
                d += features[i + 3];
            }
            return a + b + c + d;
        }
    }
}
