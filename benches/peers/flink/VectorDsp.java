package peers;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/** The same with Java's Vector API: one vector holds the 8 channels of a sample. */
final class VectorDsp implements Dsp {
    private static final VectorSpecies<Float> S = FloatVector.SPECIES_256;
    private static final int C = Work.CHANNELS;
    private final float[][] tables = {Work.table(13), Work.table(12)};

    private static FloatVector all(float value) {
        return FloatVector.broadcast(S, value);
    }

    private static FloatVector load(float[] from, int row) {
        return FloatVector.fromArray(S, from, row * C);
    }

    /** The sections stand one after the other in the loop, so that the CPU overlaps the sections of following samples. */
    @Override
    public void filter(float[] in, int from, int n, float[] z, float[] out, int at) {
        float[] k = Work.SECTIONS[0], l = Work.SECTIONS[1], m = Work.SECTIONS[2], o = Work.SECTIONS[3];
        FloatVector kb0 = all(k[0]), kb1 = all(k[1]), kb2 = all(k[2]), ka1 = all(-k[3]), ka2 = all(-k[4]);
        FloatVector lb0 = all(l[0]), lb1 = all(l[1]), lb2 = all(l[2]), la1 = all(-l[3]), la2 = all(-l[4]);
        FloatVector mb0 = all(m[0]), mb1 = all(m[1]), mb2 = all(m[2]), ma1 = all(-m[3]), ma2 = all(-m[4]);
        FloatVector ob0 = all(o[0]), ob1 = all(o[1]), ob2 = all(o[2]), oa1 = all(-o[3]), oa2 = all(-o[4]);
        FloatVector k1 = load(z, 0), k2 = load(z, 1), l1 = load(z, 2), l2 = load(z, 3);
        FloatVector m1 = load(z, 4), m2 = load(z, 5), o1 = load(z, 6), o2 = load(z, 7);
        for (int i = 0; i < n; i++) {
            FloatVector x = load(in, from + i);
            FloatVector y = x.fma(kb0, k1);
            k1 = y.fma(ka1, x.fma(kb1, k2));
            k2 = y.fma(ka2, x.mul(kb2));
            x = y;
            y = x.fma(lb0, l1);
            l1 = y.fma(la1, x.fma(lb1, l2));
            l2 = y.fma(la2, x.mul(lb2));
            x = y;
            y = x.fma(mb0, m1);
            m1 = y.fma(ma1, x.fma(mb1, m2));
            m2 = y.fma(ma2, x.mul(mb2));
            x = y;
            y = x.fma(ob0, o1);
            o1 = y.fma(oa1, x.fma(ob1, o2));
            o2 = y.fma(oa2, x.mul(ob2));
            y.intoArray(out, (at + i) * C);
        }
        k1.intoArray(z, 0);
        k2.intoArray(z, C);
        l1.intoArray(z, 2 * C);
        l2.intoArray(z, 3 * C);
        m1.intoArray(z, 4 * C);
        m2.intoArray(z, 5 * C);
        o1.intoArray(z, 6 * C);
        o2.intoArray(z, 7 * C);
    }

    @Override
    public void features(float[] window, int n, float[] out) {
        float[] t = tables[n == 13 ? 0 : 1];
        FloatVector zero = all(0), square = zero, sum = zero;
        FloatVector r1 = zero, r2 = zero, r3 = zero, r4 = zero, r5 = zero, r6 = zero;
        FloatVector i1 = zero, i2 = zero, i3 = zero, i4 = zero, i5 = zero, i6 = zero;
        for (int i = 0, row = 0; i < n; i++, row += 12) {
            FloatVector x = load(window, i);
            square = x.fma(x, square);
            sum = sum.add(x);
            r1 = x.fma(all(t[row]), r1);
            i1 = x.fma(all(t[row + 1]), i1);
            r2 = x.fma(all(t[row + 2]), r2);
            i2 = x.fma(all(t[row + 3]), i2);
            r3 = x.fma(all(t[row + 4]), r3);
            i3 = x.fma(all(t[row + 5]), i3);
            r4 = x.fma(all(t[row + 6]), r4);
            i4 = x.fma(all(t[row + 7]), i4);
            r5 = x.fma(all(t[row + 8]), r5);
            i5 = x.fma(all(t[row + 9]), i5);
            r6 = x.fma(all(t[row + 10]), r6);
            i6 = x.fma(all(t[row + 11]), i6);
        }
        FloatVector scale = all(1f / (n * n));
        square.mul(all(1f / n)).lanewise(VectorOperators.SQRT).intoArray(out, 0);
        sum.mul(sum).mul(scale).intoArray(out, C);
        r1.fma(r1, i1.mul(i1)).mul(scale).intoArray(out, 2 * C);
        r2.fma(r2, i2.mul(i2)).mul(scale).intoArray(out, 3 * C);
        r3.fma(r3, i3.mul(i3)).mul(scale).intoArray(out, 4 * C);
        r4.fma(r4, i4.mul(i4)).mul(scale).intoArray(out, 5 * C);
        r5.fma(r5, i5.mul(i5)).mul(scale).intoArray(out, 6 * C);
        r6.fma(r6, i6.mul(i6)).mul(scale).intoArray(out, 7 * C);
    }

    @Override
    public double sum(float[] f) {
        FloatVector a = load(f, 0).add(load(f, 1)).add(load(f, 2).add(load(f, 3)));
        FloatVector b = load(f, 4).add(load(f, 5)).add(load(f, 6).add(load(f, 7)));
        return a.add(b).reduceLanes(VectorOperators.ADD);
    }
}
