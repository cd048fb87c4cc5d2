//! The pictures of objects and of panoptic segments, worst first.

use super::css;
use crate::data::ReportData;
use crate::example::Rank;
use crate::instances::Verdicts;
use crate::object_example::{Measure, ObjectExample};
use crate::palette::COOL;
use crate::tables::number;

pub(super) struct ObjectGallery<'a> {
    pub(super) title: &'static str,
    pub(super) figures: Vec<ObjectFigure<'a>>,
}

pub(super) struct ObjectFigure<'a> {
    pub(super) example: &'a ObjectExample,
    /// The score and what led to it.
    pub(super) score: String,
    pub(super) alt: String,
}

pub(super) fn galleries(data: &ReportData, measure: Measure) -> Vec<ObjectGallery<'_>> {
    [(Rank::Worst, "Worst"), (Rank::Median, "Median"), (Rank::Best, "Best")]
        .into_iter()
        .filter_map(|(rank, title)| {
            let wanted = |example: &&ObjectExample| example.rank == rank && example.measure == measure;
            let figures: Vec<_> = data.object_examples.iter().filter(wanted).map(figure).collect();
            (!figures.is_empty()).then_some(ObjectGallery { title, figures })
        })
        .collect()
}

fn figure(example: &ObjectExample) -> ObjectFigure<'_> {
    let ObjectExample { found, missed, false_found, .. } = example;
    let ap50 = example.ap50.map_or_else(String::new, |ap50| format!(", AP50 {}", number(ap50)));
    let score = format!(
        "{} {}{ap50}: {found} found, {missed} missed, {false_found} false",
        example.measure.name(),
        number(example.score)
    );
    let what = match example.measure {
        Measure::AP => "objects",
        Measure::PQ => "segments",
        Measure::OKS => "skeletons",
    };
    let alt = format!(
        "{}: the image, the image with the true {what}, and the image with the predicted {what}, wrong ones marked; \
         {score}",
        example.image
    );
    ObjectFigure { example, score, alt }
}

/// Colours of the comparisons with their meaning.
pub(super) fn legend(data: &ReportData, measure: Measure) -> Vec<(String, String)> {
    const MAX_CLASSES: usize = 24;
    let Verdicts { missed, false_found, unjudged } = Verdicts::DEFAULT;
    let mut legend: Vec<(String, String)> = match measure {
        Measure::AP => {
            vec![(css(COOL[0]), "found (in greens, blues and white, so that neighbours differ)".to_owned())]
        }
        Measure::OKS => Vec::new(),
        Measure::PQ => data
            .classes
            .iter()
            .flat_map(|table| &table.classes)
            .filter(|class| class.color != [0; 3])
            .take(MAX_CLASSES)
            .map(|class| (css(class.color), class.name.clone()))
            .collect(),
    };
    legend.push((css(missed), "missed: there, but not found".to_owned()));
    legend.push((css(false_found), "false: found, but not there".to_owned()));
    if measure != Measure::OKS {
        legend.push((css(unjudged), "not judged: crowds and void".to_owned()));
    }
    legend
}
