//! Frames against bytes made by hand.
