//! Rules of purchases, by example and by random histories.
