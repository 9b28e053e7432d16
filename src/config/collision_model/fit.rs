//! Small capsules around given shapes.

use nalgebra::{Matrix3, Point3, Vector3};

use crate::collision::Capsule;
use crate::config::kinematic_model::{Geometry, Shape};

/// Most capsules of one link: more of them are nearer to the shapes, and slower.
const CAPSULES_PER_LINK_MAX: usize = 2;
/// Two capsules become one when it has at most this many times their volume.
const MERGED_VOLUME_MAX: f64 = 1.25;
/// Corners of the polygon that stands for a circle.
const CORNERS: u32 = 24;

/// One or a few capsules that hold all of `shapes`; none when there are only meshes.
pub(super) fn capsules_around(shapes: &[&Shape]) -> Vec<Capsule> {
    let mut groups: Vec<Vec<Vector3<f64>>> =
        shapes.iter().map(|shape| points_around(shape)).filter(|points| !points.is_empty()).collect();
    let mut capsules: Vec<Capsule> = groups.iter().map(|points| capsule_around(points)).collect();
    while groups.len() > 1 {
        let mut best: Option<(f64, usize, usize, Capsule)> = None;
        for first in 0..groups.len() {
            for second in first + 1..groups.len() {
                let both: Vec<_> = groups[first].iter().chain(&groups[second]).copied().collect();
                let capsule = capsule_around(&both);
                let apart = capsules[first].volume_m3() + capsules[second].volume_m3();
                let growth = capsule.volume_m3() / apart;
                if best.as_ref().is_none_or(|(least, ..)| growth < *least) {
                    best = Some((growth, first, second, capsule));
                }
            }
        }
        let Some((growth, first, second, capsule)) = best else { break };
        if growth > MERGED_VOLUME_MAX && groups.len() <= CAPSULES_PER_LINK_MAX {
            break;
        }
        let moved = groups.remove(second);
        capsules.remove(second);
        groups[first].extend(moved);
        capsules[first] = capsule;
    }
    capsules
}

/// Points whose convex hull holds the shape.
fn points_around(shape: &Shape) -> Vec<Vector3<f64>> {
    let local: Vec<Vector3<f64>> = match &shape.geometry {
        Geometry::Box { size_m: [x, y, z] } => (0..8_u8)
            .map(|corner| {
                let side =
                    |bit: u8, length: f64| if corner >> bit & 1 == 1 { 0.5 * length } else { -0.5 * length };
                Vector3::new(side(0, *x), side(1, *y), side(2, *z))
            })
            .collect(),
        Geometry::Cylinder { radius_m, length_m } => {
            [-0.5, 0.5].iter().flat_map(|end| circle(*radius_m, end * length_m)).collect()
        }
        Geometry::Capsule { radius_m, length_m } => [-0.5, 0.5]
            .iter()
            .flat_map(|end| ball(*radius_m).map(move |point| point + Vector3::z() * (end * length_m)))
            .collect(),
        Geometry::Sphere { radius_m } => ball(*radius_m).collect(),
        Geometry::Mesh { .. } => Vec::new(),
    };
    local.iter().map(|point| (shape.x_link_shape * Point3::from(*point)).coords).collect()
}

/// A polygon around a circle at a height.
fn circle(radius_m: f64, height_m: f64) -> impl Iterator<Item = Vector3<f64>> {
    let step = std::f64::consts::TAU / f64::from(CORNERS);
    let outer = radius_m / (0.5 * step).cos();
    (0..CORNERS).map(move |corner| {
        let (sine, cosine) = (step * f64::from(corner)).sin_cos();
        Vector3::new(outer * cosine, outer * sine, height_m)
    })
}

/// Circles of latitude around a ball: at ±22.5° and ±67.5° and the poles, as far out that the flats touch it.
fn ball(radius_m: f64) -> impl Iterator<Item = Vector3<f64>> {
    let eighth = std::f64::consts::FRAC_PI_8;
    let outer = radius_m / eighth.cos();
    let latitudes = [-3.0 * eighth, -eighth, eighth, 3.0 * eighth];
    latitudes.into_iter().flat_map(move |latitude| circle(outer * latitude.cos(), outer * latitude.sin()))
}

/// The smallest capsule around points that was found, along their principal axes and the axes of the link.
fn capsule_around(points: &[Vector3<f64>]) -> Capsule {
    let middle = points.iter().sum::<Vector3<f64>>() / points.len().max(1) as f64;
    let spread: Matrix3<f64> =
        points.iter().map(|point| (point - middle) * (point - middle).transpose()).sum();
    let principal = spread.symmetric_eigen().eigenvectors;
    let axes = (0..3).map(|column| principal.column(column).into_owned());
    let axes = axes.chain([Vector3::x(), Vector3::y(), Vector3::z()]);
    axes.map(|axis| capsule_along(points, &axis.normalize()))
        .min_by(|a, b| a.volume_m3().total_cmp(&b.volume_m3()))
        .unwrap_or(Capsule { start: middle, end: middle, radius_m: f64::MIN_POSITIVE })
}

/// The smallest capsule along `axis`: a circle around the points seen along it, made wider step by step while
/// that lets the ends come in.
fn capsule_along(points: &[Vector3<f64>], axis: &Vector3<f64>) -> Capsule {
    let across = points.iter().map(|point| point - axis * axis.dot(point));
    let across: Vec<Vector3<f64>> = across.collect();
    let centre = centre_of(&across);
    let least = across.iter().map(|point| (point - centre).norm()).fold(0.0, f64::max);
    (0..=40_u8)
        .map(|step| {
            let radius = least * (1.0 + 0.025 * f64::from(step)) + 1e-9;
            let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
            for (point, across) in points.iter().zip(&across) {
                let along = axis.dot(point);
                let reach = (radius * radius - (across - centre).norm_squared()).max(0.0).sqrt();
                (low, high) = (low.min(along + reach), high.max(along - reach));
            }
            if low > high {
                // Any place between holds every point.
                (low, high) = (0.5 * (low + high), 0.5 * (low + high));
            }
            Capsule { start: centre + axis * low, end: centre + axis * high, radius_m: radius }
        })
        .min_by(|a, b| a.volume_m3().total_cmp(&b.volume_m3()))
        .unwrap_or(Capsule { start: centre, end: centre, radius_m: least })
}

/// Near the centre of the smallest ball around points: steps of falling length towards the farthest one.
///
/// Source: Bădoiu, Clarkson 2003, "Smaller core-sets for balls", algorithm of section 3.
fn centre_of(points: &[Vector3<f64>]) -> Vector3<f64> {
    let mut centre = points.first().copied().unwrap_or_else(Vector3::zeros);
    for step in 1..=400_u16 {
        let farthest = points
            .iter()
            .max_by(|a, b| (*a - centre).norm_squared().total_cmp(&(*b - centre).norm_squared()));
        if let Some(farthest) = farthest {
            centre += (farthest - centre) / f64::from(step + 1);
        }
    }
    centre
}
