import type { ReactNode } from "react";
import { rate } from "../format/rate.js";
import "./chart.css";

/** Points of a polyline over `width` × `height`; the newest value is at the right edge. */
export function points(values: readonly number[], slots: number, max: number, width: number, height: number): string {
  const step = width / Math.max(1, slots - 1);
  const first = width - (values.length - 1) * step;
  return values
    .map(
      (value, i) => `${(first + i * step).toFixed(1)},${(height - (Math.min(value, max) / max) * height).toFixed(1)}`,
    )
    .join(" ");
}

/** A ceiling for a chart that does not jump with every value: 1, 2 or 5 times a power of ten. */
export function ceiling(value: number): number {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= value) ?? 10;
  return step * power;
}

/** A rate's last minutes in the height of a table row. */
export function Sparkline({
  values,
  slots,
  label,
}: {
  values: readonly number[];
  slots: number;
  label: string;
}): ReactNode {
  const max = ceiling(Math.max(0, ...values));
  return (
    <svg className="sparkline" viewBox="0 0 96 20" preserveAspectRatio="none" role="img" aria-label={label}>
      <polyline points={points(values, slots, max, 96, 18)} transform="translate(0 1)" />
    </svg>
  );
}

export interface Series {
  readonly name: string;
  readonly tone: "queued" | "done";
  readonly values: readonly number[];
}

/** Rates over the last minutes: a line a series, dashed for the first so that colour is not needed. */
export function RateChart({
  series,
  slots,
  span,
}: {
  series: readonly Series[];
  slots: number;
  span: string;
}): ReactNode {
  const max = ceiling(Math.max(0, ...series.flatMap((one) => one.values)));
  const text = series.map((one) => `${one.name} ${rate(one.values.at(-1) ?? 0)}`).join(", ");
  return (
    <figure className="rate-chart">
      <div className="rate-plot">
        <span className="rate-max">{rate(max)}</span>
        <svg
          viewBox="0 0 600 140"
          preserveAspectRatio="none"
          role="img"
          aria-label={`Rates over the last ${span}: ${text}`}
        >
          <path className="grid" d="M0 .5H600M0 70H600M0 139.5H600" />
          {series.map((one) => (
            <polyline
              key={one.name}
              className={one.tone}
              points={points(one.values, slots, max, 600, 138)}
              transform="translate(0 1)"
            />
          ))}
        </svg>
        <span className="rate-span">{span} ago</span>
        <span className="rate-now">now</span>
      </div>
      <figcaption>
        {series.map((one) => (
          <span key={one.name} className="rate-key">
            <svg width="22" height="8" viewBox="0 0 22 8" aria-hidden="true">
              <path className={one.tone} d="M1 4h20" />
            </svg>
            {one.name} <strong>{rate(one.values.at(-1) ?? 0)}</strong>
          </span>
        ))}
      </figcaption>
    </figure>
  );
}
