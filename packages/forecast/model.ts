// The models that compete. Each is told demand bucket by bucket and asked for a later one; none knows how it does, which
// is for the forecaster to judge.
import { limits } from './limits.ts';

export interface Model {
  readonly name: string;
  observe(value: number, bucket: number): void;
  /** Demand `ahead` buckets from now; undefined while too little was seen. */
  predict(ahead: number): number | undefined;
}

/** As now. What every other model has to beat. */
export function persistence(): Model {
  let last: number | undefined;
  return {
    name: 'persistence',
    observe: (value) => {
      last = value;
    },
    predict: () => last,
  };
}

/** Holt's level and trend, the trend damped: it knows a ramp within minutes and forgets it as fast. */
export function holt(levelWeight = 0.4, trendWeight = 0.1, damping = 0.95): Model {
  let level: number | undefined;
  let trend = 0;
  return {
    name: 'holt',
    observe(value) {
      if (level === undefined) {
        level = value;
        return;
      }
      const before = level;
      level = levelWeight * value + (1 - levelWeight) * (level + damping * trend);
      trend = trendWeight * (level - before) + (1 - trendWeight) * damping * trend;
    },
    predict(ahead) {
      if (level === undefined) return undefined;
      return level + (trend * damping * (1 - damping ** ahead)) / (1 - damping);
    },
  };
}

/** The shape of a day as it was learned, which takes a day to learn again; everything else comes back within minutes. */
export interface Season {
  /** The first bucket that was seen. */
  readonly since: number;
  /** Demand by place of the day; null where nothing was seen. */
  readonly shape: readonly (number | null)[];
}

export interface SeasonalModel extends Model {
  /** The highest demand of a day of this size; undefined while it cannot predict. */
  most(): number | undefined;
  /** Undefined while not a single place is known. */
  season(): Season | undefined;
}

/**
 * Holt-Winters whose level is now: what is needed now, and what a day of this size adds until then. A level by which the
 * whole day is multiplied would fall while a morning is late, and take the climb for a small one.
 */
export function holtWinters(places: number, bucketsAPlace: number, learned?: Season): SeasonalModel {
  const shape = Float64Array.from({ length: places }, (_, place) => learned?.shape[place] ?? Number.NaN);
  let first = learned?.since;
  let last = Number.NaN;
  /** Of this day beside those that were learned: slow, so that a morning that is some minutes late does not make it small. */
  let size: number | undefined;
  let at = 0;
  /** The place that is being filled; its buckets need not be complete. */
  let open = { place: -1, sum: 0, count: 0 };
  const placeOf = (bucket: number): number => Math.floor(bucket / bucketsAPlace) % places;
  /** Between places, or each border would be a step. */
  const shapeAt = (bucket: number): number => {
    const position = bucket / bucketsAPlace - 0.5;
    const low = Math.floor(position);
    const share = position - low;
    return shape[((low % places) + places) % places]! * (1 - share) + shape[(low + 1 + places) % places]! * share;
  };
  const settle = ({ place, sum, count }: typeof open) => {
    if (count === 0) return;
    const old = shape[place]!;
    shape[place] = Number.isNaN(old) ? sum / count : old + 0.3 * (sum / count - old);
  };
  return {
    name: 'holtWinters',
    observe(value, bucket) {
      first ??= bucket;
      at = bucket;
      last = value;
      const place = placeOf(bucket);
      if (place !== open.place) {
        settle(open);
        open = { place, sum: 0, count: 0 };
      }
      open.sum += value;
      open.count += 1;
      const usual = shapeAt(bucket);
      if (usual > 0) size = size === undefined ? value / usual : size + (value / usual - size) / limits.sizeMean;
    },
    predict(ahead) {
      if (first === undefined || at - first < places * bucketsAPlace) return undefined;
      const value = last + (size ?? 1) * (shapeAt(at + ahead) - shapeAt(at));
      return Number.isNaN(value) ? undefined : value;
    },
    most() {
      if (first === undefined || at - first < places * bucketsAPlace) return undefined;
      return (size ?? 1) * shape.reduce((most, value) => (value > most ? value : most), 0);
    },
    season() {
      if (first === undefined || shape.every(Number.isNaN)) return undefined;
      return {
        since: first,
        shape: Array.from(shape, (value) => (Number.isNaN(value) ? null : Number(value.toPrecision(3)))),
      };
    },
  };
}

/**
 * An autoregressive model with seasonal features, learned by recursive least squares for one horizon: changes over the
 * last one, four and twelve buckets, and the hour of the day, predict the change until the horizon.
 */
export function autoregression(bucketsADay: number, ahead: number): Model {
  const size = 9;
  const weights = new Float64Array(size);
  const covariance = Float64Array.from({ length: size * size }, (_, at) => (at % (size + 1) === 0 ? 10 : 0));
  const values: number[] = [];
  const pending: { readonly due: number; readonly features: Float64Array; readonly base: number }[] = [];
  let at = 0;
  const forget = 0.9995;

  const featuresOf = (): Float64Array | undefined => {
    const last = values.at(-1);
    if (last === undefined || values.length < 25) return undefined;
    const back = (buckets: number) => last - values[values.length - 1 - buckets]!;
    const scale = Math.max(1, last);
    const day = (2 * Math.PI * at) / bucketsADay;
    return Float64Array.of(
      1,
      back(1) / scale,
      back(4) / scale,
      back(12) / scale,
      back(24) / scale,
      Math.sin(day),
      Math.cos(day),
      Math.sin(2 * day),
      Math.cos(2 * day),
    );
  };
  const product = (features: Float64Array): number =>
    features.reduce((sum, each, index) => sum + each * weights[index]!, 0);

  function learn(features: Float64Array, change: number): void {
    const gain = new Float64Array(size);
    let spread = forget;
    for (let row = 0; row < size; row += 1) {
      for (let column = 0; column < size; column += 1)
        gain[row]! += covariance[row * size + column]! * features[column]!;
      spread += features[row]! * gain[row]!;
    }
    const error = change - product(features);
    for (let row = 0; row < size; row += 1) weights[row]! += (gain[row]! / spread) * error;
    for (let row = 0; row < size; row += 1) {
      for (let column = 0; column < size; column += 1) {
        const next = (covariance[row * size + column]! - (gain[row]! * gain[column]!) / spread) / forget;
        // Without news in one direction its uncertainty would grow for ever.
        covariance[row * size + column] = Math.max(-1e3, Math.min(1e3, next));
      }
    }
  }

  return {
    name: 'autoregression',
    observe(value, bucket) {
      at = bucket;
      values.push(value);
      if (values.length > 32) values.shift();
      while (pending.length > 0 && pending[0]!.due <= bucket) {
        const { features, base } = pending.shift()!;
        learn(features, (value - base) / Math.max(1, base));
      }
      const features = featuresOf();
      if (features !== undefined) pending.push({ due: bucket + ahead, features, base: value });
    },
    predict(wanted) {
      const last = values.at(-1);
      const features = featuresOf();
      if (last === undefined || features === undefined) return undefined;
      return last + (product(features) * Math.max(1, last) * wanted) / ahead;
    },
  };
}
