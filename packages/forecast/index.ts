// What the load will need, learned from what it needed: models, their online score, and the best of them.
export { createForecaster, type Forecaster, type Prediction, restoreSeason } from './forecaster.ts';
export { limits as forecastLimits } from './limits.ts';
export { autoregression, holt, holtWinters, type Model, persistence, type Season } from './model.ts';
