//! Histograms in the format of Prometheus.

use std::fmt;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use crate::primitives::histogram::HistogramTotals;

/// Totals of one figure: of the figure itself, or by kinds.
#[derive(Debug)]
pub(super) struct Histograms {
    whole: Option<HistogramTotals>,
    kinds: Vec<(&'static str, HistogramTotals)>,
}

impl Histograms {
    pub(super) fn of(totals: HistogramTotals) -> Self {
        Self {
            whole: Some(totals),
            kinds: Vec::new(),
        }
    }

    /// By the label `kind`.
    pub(super) fn by_kind(kinds: Vec<(&'static str, HistogramTotals)>) -> Self {
        Self { whole: None, kinds }
    }
}

impl EncodeMetric for Histograms {
    fn encode(&self, mut encoder: MetricEncoder) -> Result<(), fmt::Error> {
        let write = |mut encoder: MetricEncoder, totals: &HistogramTotals| {
            encoder.encode_histogram::<NoLabelSet>(totals.sum, totals.count(), &totals.counts, None)
        };
        for (kind, totals) in &self.kinds {
            write(encoder.encode_family(&[("kind", *kind)])?, totals)?;
        }
        match &self.whole {
            Some(totals) => write(encoder, totals),
            None => Ok(()),
        }
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
