//! From parsed arguments to library calls and printed results.

pub(crate) mod args;
mod print;

use std::process::ExitCode;

use anyhow::{Context, bail};
use serde::Serialize;
use vibhag::convert::ConvertRequest;
use vibhag::cutout::CutoutRequest;
use vibhag::evaluate::{self, Selection};
use vibhag::people::PeopleRequest;
use vibhag::pose::{POSE_FORMATS, PoseFormat, PoseRequest};
use vibhag::predict::{OUTPUTS, Output, PredictRequest};
use vibhag::run::{self, TrainRequest};
use vibhag::scores::Scores;
use vibhag::synth::SynthRequest;
use vibhag::{bench, convert, cutout, demo, doctor, models, people, pose, predict, synth};
use vibhag_core::Task;
use vibhag_data::split::Split;
use vibhag_nn::bundle::Flips;
use vibhag_nn::device::DeviceChoice;
use vibhag_predict::PredictOptions;
use vibhag_train::PlanRequest;

use args::{Command, Wishes};

/// Runs one command. Exit code 1 says that there are findings or failed items.
pub(crate) fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo { output, task, minutes, device, common } => {
            let say = |line: &str| {
                if !common.quiet {
                    eprintln!("{line}");
                }
            };
            let minutes = minutes.unwrap_or_else(|| demo::usual_minutes(task));
            let result = demo::demo(&output, task, minutes, device.parse()?, common.quiet, &say)?;
            if common.json {
                json(&print::demo_json(&result))?;
            } else {
                print::demo(&result)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Doctor { data, format, task, foreground, common } => {
            let quiet = common.quiet || common.json;
            let found = doctor::doctor_for(&data, format.as_deref(), task, foreground, quiet)?;
            if common.json {
                json(&found)?;
            } else {
                print::doctor(&found)?;
            }
            Ok(findings(!found.faults.is_empty()))
        }
        Command::Plan { data, output, wishes, common } => {
            let wanted = request(&wishes);
            let (format, foreground) = (wishes.format.as_deref(), wishes.foreground.clone());
            let options = run::open_options(format, wanted.task(), wanted.preset, foreground);
            let examined = run::examine_with(&data, &options, common.quiet || common.json)?;
            let plan = run::plan(&examined, &wanted, &wishes.settings)?;
            let text = plan.to_toml()?;
            match output {
                Some(path) => {
                    std::fs::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
                    print::line(&format!("wrote {}", path.display()))?;
                }
                None if common.json => json(&plan)?,
                None => print::line(text.trim_end())?,
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Train { data, output, plan, resume, skip_bad, device, wishes, common } => {
            // A plan that exists is changed by settings; `--set` has the last word.
            let mut settings = if plan.is_some() || resume.is_some() { as_settings(&wishes) } else { Vec::new() };
            settings.extend(wishes.settings.iter().cloned());
            let request = TrainRequest {
                data,
                format: wishes.format.clone(),
                foreground: wishes.foreground.clone(),
                run: resume.clone().unwrap_or(output),
                plan,
                wishes: request(&wishes),
                settings,
                resume: resume.is_some(),
                device: device.parse()?,
                quiet: common.quiet || common.json,
                skip_bad,
            };
            let result = run::train(&request)?;
            if common.json {
                json(&print::train_json(&result))?;
            } else {
                print::train(&result)?;
            }
            Ok(findings(!result.skipped.is_empty()))
        }
        Command::Predict { model, inputs, output, write, indices, fast, threshold, device, common } => {
            let request = PredictRequest {
                model,
                inputs,
                out: output.clone(),
                outputs: write.iter().map(|name| output_named(name)).collect::<anyhow::Result<_>>()?,
                indices,
                options: PredictOptions { tta: fast.then_some(Flips::None), threshold, ..PredictOptions::default() },
                device: device.parse()?,
                quiet: common.quiet || common.json,
            };
            let rows = predict::predict(&request)?;
            let failed = rows.iter().filter(|row| row.error.is_some()).count();
            if common.json {
                json(&rows)?;
            } else {
                print::predict(&rows, &output)?;
            }
            Ok(findings(failed > 0))
        }
        Command::Cutout { inputs, model, background, alpha, output, seconds, no_smoothing, fast, device, common } => {
            let request = CutoutRequest {
                model,
                inputs,
                out: output,
                background,
                matte: alpha,
                seconds,
                smoothing: !no_smoothing,
                tta: fast.then_some(Flips::None),
                device: device.parse()?,
                quiet: common.quiet || common.json,
            };
            let rows = cutout::cutout(&request)?;
            if common.json {
                json(&rows)?;
            } else {
                print::cutout(&rows)?;
            }
            Ok(findings(rows.iter().any(|row| row.error.is_some() || row.damage.is_some())))
        }
        Command::Pose {
            inputs,
            output,
            format,
            skeleton,
            render,
            black,
            model,
            size,
            turns,
            max_people,
            min_score,
            min_keypoint_score,
            seconds,
            no_smoothing,
            device,
            common,
        } => {
            let request = PoseRequest {
                inputs,
                model,
                out: output.clone(),
                formats: format.iter().map(|name| pose_format_named(name)).collect::<anyhow::Result<_>>()?,
                skeleton,
                render,
                black,
                size,
                turns,
                max_people,
                min_score,
                min_keypoint_score,
                seconds,
                smoothing: !no_smoothing,
                device: device.parse()?,
                quiet: common.quiet || common.json,
            };
            let rows = pose::pose(&request)?;
            if common.json {
                json(&rows)?;
            } else {
                print::pose(&rows, &output)?;
            }
            Ok(findings(rows.iter().any(|row| row.error.is_some() || row.damage.is_some())))
        }
        Command::People { inputs, model, pose_model, output, size, max_people, min_score, fast, device, common } => {
            let request = PeopleRequest {
                inputs,
                model,
                pose_model,
                out: output.clone(),
                size,
                max_people,
                min_score,
                tta: fast.then_some(Flips::None),
                device: device.parse()?,
                quiet: common.quiet || common.json,
                ..PeopleRequest::default()
            };
            let rows = people::people(&request)?;
            if common.json {
                json(&rows)?;
            } else {
                print::people(&rows, &output)?;
            }
            Ok(findings(rows.iter().any(|row| row.error.is_some())))
        }
        Command::Evaluate { model, data, split, format, truth, pred, task, foreground, fast, device, common } => {
            let (scores, failed) = match (model, data, truth, pred) {
                (_, _, Some(truth), Some(pred)) if task.has_objects() => {
                    evaluate::folders::objects(&truth, &pred, task)?
                }
                (_, _, Some(_), Some(_)) if task == Task::Pose => {
                    bail!("--truth and --pred take masks and objects; of poses a model is scored on data")
                }
                (_, _, Some(truth), Some(pred)) => {
                    let (found, failed) = evaluate::folders(&truth, &pred, foreground.as_ref())?;
                    (Scores::Semantic(Box::new(found)), failed)
                }
                (Some(model), Some(data), ..) => {
                    let selection = match split {
                        Some(name) => match Split::from_name(&name) {
                            Some(split) => Selection::Split(split),
                            None => bail!("unknown split {name:?}; use train, val or test"),
                        },
                        None => Selection::All,
                    };
                    let device: DeviceChoice = device.parse()?;
                    let quiet = common.quiet || common.json;
                    let judged = evaluate::model(
                        &model,
                        &data,
                        format.as_deref(),
                        foreground,
                        selection,
                        device,
                        fast.then_some(Flips::None),
                        quiet,
                    )?;
                    (judged.scores, judged.failed)
                }
                _ => bail!("name a model and data, or --truth and --pred"),
            };
            if common.json {
                json(&scores)?;
            } else {
                print::scores(&scores)?;
            }
            print::failures(&failed);
            Ok(findings(!failed.is_empty()))
        }
        Command::Convert { input, output, format, from, drop, common } => {
            let quiet = common.quiet || common.json;
            let request = ConvertRequest { input, out: output, to: format, from, drop, quiet };
            let result = convert::convert(&request)?;
            if common.json {
                json(&result)?;
            } else {
                print::convert(&result)?;
            }
            // New numbers are listed among the losses, but no pixel is lost with them.
            let pixels_lost = result.round_trip.missing > 0 || result.round_trip.min_iou < 1.0;
            Ok(findings(!result.failed.is_empty() || !result.faults.is_empty() || pixels_lost))
        }
        Command::Synth { output, images, first, size, hard, seed, format, common } => {
            let size = parse_size(&size)?;
            let result = synth::synth(&SynthRequest { out: output, images, first, size, hard, seed, format })?;
            if common.json {
                json(&result)?;
            } else {
                print::synth(&result)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Models { common } => {
            let rows = models::rows()?;
            if common.json {
                json(&rows)?;
            } else {
                print::models(&rows)?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Command::Bench { mode, arch, encoder, batch, size, keep_maps, steps, device, common } => {
            let train = match mode.as_str() {
                "train" => true,
                "predict" => false,
                other => bail!("unknown bench {other:?}; use train or predict"),
            };
            let request = bench::BenchRequest {
                train,
                architecture: arch,
                encoder,
                batch,
                size: parse_size(&size)?,
                recompute: !keep_maps,
                steps,
                device: device.parse()?,
            };
            let result = bench::bench(&request)?;
            if common.json {
                json(&result)?;
            } else {
                print::bench(&result)?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Whether an error is a reader that went away (`vibhag ... | head`).
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe))
}

fn findings(any: bool) -> ExitCode {
    if any { ExitCode::from(1) } else { ExitCode::SUCCESS }
}

fn json(value: &impl Serialize) -> anyhow::Result<()> {
    print::line(&serde_json::to_string_pretty(value)?)
}

fn request(wishes: &Wishes) -> PlanRequest {
    PlanRequest {
        task: wishes.task.map(|goal| goal.task),
        preset: wishes.preset.or(wishes.task.and_then(|goal| goal.preset)),
        head: wishes.head,
        architecture: wishes.arch.clone(),
        encoder: wishes.encoder.clone(),
        pretrained: wishes.pretrained.clone(),
        epochs: wishes.epochs,
        minutes: wishes.minutes,
        seed: wishes.seed,
    }
}

/// Length and seed as settings of a plan.
fn as_settings(wishes: &Wishes) -> Vec<String> {
    let values = [
        wishes.epochs.map(|epochs| format!("loop.epochs={epochs}")),
        wishes.minutes.map(|minutes| format!("loop.minutes={minutes:?}")),
        wishes.seed.map(|seed| format!("seed={seed}")),
    ];
    values.into_iter().flatten().collect()
}

/// The error and its causes, each said once.
pub(crate) fn explain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            if !text.is_empty() {
                text += ": ";
            }
            text += &cause;
        }
    }
    text
}

fn output_named(name: &str) -> anyhow::Result<Output> {
    if let Some((_, output)) = OUTPUTS.iter().find(|(known, _)| *known == name) {
        return Ok(*output);
    }
    let known: Vec<&str> = OUTPUTS.iter().map(|(name, _)| *name).collect();
    bail!("unknown output {name:?}; use {}", known.join(", "))
}

fn pose_format_named(name: &str) -> anyhow::Result<PoseFormat> {
    if let Some((_, format)) = POSE_FORMATS.iter().find(|(known, _)| *known == name) {
        return Ok(*format);
    }
    let known: Vec<&str> = POSE_FORMATS.iter().map(|(name, _)| *name).collect();
    bail!("unknown format of poses {name:?}; use {}", known.join(", "))
}

fn parse_size(text: &str) -> anyhow::Result<(usize, usize)> {
    let parsed = text.split_once('x').and_then(|(h, w)| Some((h.parse().ok()?, w.parse().ok()?)));
    match parsed {
        Some((h, w)) if h > 0 && w > 0 => Ok((h, w)),
        _ => bail!("size {text:?} is not ROWSxCOLUMNS, such as 256x256"),
    }
}
