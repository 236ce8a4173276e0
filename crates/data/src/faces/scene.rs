//! A portrait: everything drawn from chance first, then painted from back to front at any size.

use super::backdrop::Backdrop;
use super::beard::Beard;
use super::brows::Brows;
use super::canvas::Canvas;
use super::clothes::Clothes;
use super::dice::Dice;
use super::ears::Ears;
use super::eyes::Eyes;
use super::glasses::Glasses;
use super::hair::Hair;
use super::hat::Hat;
use super::head::Sitter;
use super::mask::Mask;
use super::mouth::Mouth;
use super::necklace::Necklace;
use super::nose::Nose;
use super::occluder::Occluder;
use super::sensor::Sensor;
use super::torso::Torso;

#[derive(Debug, Clone)]
pub(super) struct Scene {
    sitter: Sitter,
    backdrop: Backdrop,
    torso: Torso,
    clothes: Clothes,
    necklace: Option<Necklace>,
    ears: Ears,
    beard: Option<Beard>,
    mouth: Mouth,
    eyes: Eyes,
    brows: Brows,
    nose: Nose,
    hair: Hair,
    glasses: Option<Glasses>,
    hat: Option<Hat>,
    occluder: Option<Occluder>,
    sensor: Sensor,
}

impl Scene {
    pub(super) fn draw(dice: &mut Dice) -> Self {
        let sitter = Sitter::draw(dice);
        let hat = dice.chance(0.3).then(|| Hat::draw(dice));
        let hair = Hair::draw(dice, &sitter);
        let covered = hat.as_ref().is_some_and(|hat| !hat.is_open());
        let bearded = sitter.masculine && dice.chance(0.45);
        let adorned = dice.chance(if sitter.masculine { 0.28 } else { 0.55 });
        Self {
            backdrop: Backdrop::draw(dice, sitter.skin),
            torso: Torso::draw(dice, &sitter),
            clothes: Clothes::draw(dice, &sitter),
            necklace: adorned.then(|| Necklace::draw(dice)),
            ears: Ears::draw(dice, &sitter),
            beard: bearded.then(|| Beard::draw(dice, &sitter)),
            mouth: Mouth::draw(dice, &sitter),
            eyes: Eyes::draw(dice, &sitter),
            brows: Brows::draw(dice, &sitter),
            nose: Nose::draw(dice),
            hair: if covered { hair.under_hat() } else { hair },
            glasses: dice.chance(0.33).then(|| Glasses::draw(dice)),
            hat,
            occluder: dice.chance(0.14).then(|| Occluder::draw(dice, &sitter)),
            sensor: Sensor::draw(dice),
            sitter,
        }
    }

    pub(super) fn paint(&self, canvas: &mut Canvas) {
        self.paint_behind(canvas);
        let head = self.sitter.silhouette(canvas);
        self.paint_face(canvas, &head);
        self.paint_around(canvas, &head);
        if let Some(occluder) = &self.occluder {
            occluder.paint(&self.sitter, canvas);
        }
    }

    /// The picture that the camera takes of the painted scene.
    pub(super) fn expose(&self, canvas: &mut Canvas) {
        self.sensor.apply(canvas);
    }

    /// Background, the back of hair and hat, the body and the far ear.
    fn paint_behind(&self, canvas: &mut Canvas) {
        let sitter = &self.sitter;
        self.backdrop.paint(canvas);
        if let Some(hat) = &self.hat {
            hat.paint_back(sitter, canvas);
        }
        self.hair.paint_back(sitter, canvas);
        self.torso.paint(sitter, canvas);
        let (over, under): (Option<&Necklace>, _) = self.necklace.as_ref().map_or((None, None), |necklace| {
            if necklace.hangs_low() { (Some(necklace), None) } else { (None, Some(necklace)) }
        });
        if let Some(choker) = under {
            choker.paint(sitter, &self.torso, canvas);
        }
        self.clothes.paint(sitter, &self.torso, canvas);
        if let Some(necklace) = over {
            necklace.paint(sitter, &self.torso, canvas);
        }
        self.paint_ears(canvas, true);
    }

    fn paint_face(&self, canvas: &mut Canvas, head: &Mask) {
        let sitter = &self.sitter;
        sitter.paint(canvas, head);
        if let Some(beard) = &self.beard {
            beard.paint(sitter, canvas, head);
        }
        self.mouth.paint(sitter, canvas, head);
        self.eyes.paint(sitter, canvas, head);
        self.brows.paint(sitter, canvas);
        self.nose.paint(sitter, canvas, head);
    }

    /// Hair, glasses, near ears and hat.
    fn paint_around(&self, canvas: &mut Canvas, head: &Mask) {
        let sitter = &self.sitter;
        self.hair.paint_cap(sitter, canvas, head);
        if let Some(glasses) = &self.glasses {
            glasses.paint(sitter, canvas);
        }
        self.paint_ears(canvas, false);
        self.hair.paint_locks(sitter, canvas);
        if let Some(hat) = &self.hat {
            hat.paint(sitter, canvas, head);
        }
    }

    /// The ears that the head hides, or those before it with what hangs from them.
    fn paint_ears(&self, canvas: &mut Canvas, behind: bool) {
        for side in [-1.0, 1.0] {
            if Ears::is_behind(&self.sitter, side) == behind {
                self.ears.paint(&self.sitter, canvas, side);
                if !behind {
                    self.ears.paint_earring(&self.sitter, canvas, side);
                }
            }
        }
    }
}
