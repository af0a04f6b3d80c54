//! Money and the price of credits.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::credits::Credits;

/// An ISO 4217 currency that prices may be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency {
    code: [u8; 3],
    exponent: u8,
}

/// Active ISO 4217 codes whose minor unit is not 1/100 of the major one.
const OTHER_EXPONENTS: &[(&str, u8)] = &[
    ("BHD", 3),
    ("BIF", 0),
    ("CLF", 4),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("IQD", 3),
    ("ISK", 0),
    ("JOD", 3),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("PYG", 0),
    ("RWF", 0),
    ("TND", 3),
    ("UGX", 0),
    ("UYI", 0),
    ("UYW", 4),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XOF", 0),
    ("XPF", 0),
];

/// Active ISO 4217 codes with two digits after the point.
const TWO_DIGITS: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD \
    CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG \
    HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK \
    MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS \
    SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD YER ZAR ZMW ZWG";

impl Currency {
    /// The three letters of the code.
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.code).unwrap_or("???")
    }

    /// The number of digits after the point in amounts of this currency.
    pub fn exponent(self) -> u32 {
        u32::from(self.exponent)
    }

    /// Prices are multiples of this, in the minor unit. Card networks accept amounts with three digits only if the last one is 0.
    /// They accept only whole ariary, whose minor unit is a fifth and not a hundredth.
    pub fn step(self) -> i64 {
        match (self.exponent, self.code()) {
            (3, _) => 10,
            (_, "MGA") => 100,
            _ => 1,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The text is not an active ISO 4217 code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an ISO 4217 currency code in capitals, such as EUR")]
pub struct UnknownCurrency;

impl FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let code: [u8; 3] = text.as_bytes().try_into().map_err(|_| UnknownCurrency)?;
        let exponent = match OTHER_EXPONENTS.iter().find(|(other, _)| *other == text) {
            Some((_, exponent)) => *exponent,
            None if TWO_DIGITS.split_whitespace().any(|known| known == text) => 2,
            None => return Err(UnknownCurrency),
        };
        Ok(Self { code, exponent })
    }
}

/// An amount of money in its currency's minor unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    /// In the minor unit: cents for EUR, yen for JPY.
    pub minor: i64,
    /// The currency of the amount.
    pub currency: Currency,
}

impl Money {
    /// The amount as a decimal number of the major unit, with exactly the currency's digits.
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.minor, self.currency.exponent())
    }
}

/// The price of one credit in millionths of the currency's major unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CreditPrice(i64);

/// Why a decimal is not a valid price of a credit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CreditPriceError {
    /// Below zero.
    #[error("must not be negative")]
    Negative,
    /// More than six digits after the point.
    #[error("must have at most 6 digits after the point")]
    TooPrecise,
    /// Above a million of the major unit.
    #[error("must not exceed 1000000")]
    TooLarge,
}

impl CreditPrice {
    const LARGEST: i64 = 1_000_000 * 1_000_000;

    /// Creates a price from millionths of the major unit.
    pub const fn from_millionths(millionths: i64) -> Self {
        Self(millionths)
    }

    /// The price in millionths of the major unit.
    pub const fn millionths(self) -> i64 {
        self.0
    }

    /// The price as a decimal number of the major unit.
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.0, 6).normalize()
    }

    /// Converts from a decimal number of the major unit.
    pub fn from_decimal(price: Decimal) -> Result<Self, CreditPriceError> {
        if price.is_sign_negative() && !price.is_zero() {
            return Err(CreditPriceError::Negative);
        }
        let price = price.normalize();
        if price.scale() > 6 {
            return Err(CreditPriceError::TooPrecise);
        }
        price
            .checked_mul(Decimal::from(1_000_000))
            .and_then(|millionths| millionths.to_i64())
            .filter(|millionths| *millionths <= Self::LARGEST)
            .map(Self)
            .ok_or(CreditPriceError::TooLarge)
    }

    /// Returns the price of `credits`: credits × price, rounded half up once, to an amount that can be charged. `None`
    /// on overflow.
    pub fn price_of(self, credits: Credits, currency: Currency) -> Option<Money> {
        let exact = i128::from(credits.units()) * i128::from(self.0) * 10_i128.pow(currency.exponent());
        let step = i128::from(currency.step());
        let divisor = i128::from(Credits::UNITS) * 1_000_000 * step;
        let minor = (exact + divisor / 2).div_euclid(divisor) * step;
        Some(Money {
            minor: i64::try_from(minor).ok()?,
            currency,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        code.parse().expect("known")
    }

    #[test]
    fn prices_round_half_up_once_in_the_currency_digits() {
        let price = CreditPrice::from_decimal("0.125".parse().expect("decimal")).expect("valid");
        for (credits, code, shown) in [
            ("1", "EUR", "0.13"),
            ("1", "JPY", "0"),
            ("4", "JPY", "1"),
            ("4", "ISK", "1"),
            ("1", "MGA", "0.00"),
            ("5", "MGA", "1.00"),
            // 0.125: cards cannot be charged its last digit.
            ("1", "KWD", "0.130"),
            ("3", "BHD", "0.380"),
            ("0.9", "TND", "0.110"),
        ] {
            let money = price
                .price_of(credits.parse().expect("credits"), currency(code))
                .expect("fits");
            assert_eq!(money.to_decimal().to_string(), shown, "{credits} {code}");
        }
    }

    #[test]
    fn overflow_is_none_and_never_wraps() {
        let dearest = CreditPrice::from_millionths(CreditPrice::LARGEST);
        assert_eq!(dearest.price_of(Credits::MAX, currency("CLF")), None);
    }

    #[test]
    fn unknown_currencies_and_odd_prices_are_refused() {
        for code in ["", "eur", "EURO", "XXX", "€€€"] {
            assert_eq!(code.parse::<Currency>(), Err(UnknownCurrency), "{code}");
        }
        let parse = |text: &str| CreditPrice::from_decimal(text.parse().expect("decimal"));
        assert_eq!(parse("-0.1"), Err(CreditPriceError::Negative));
        assert_eq!(parse("0.0000001"), Err(CreditPriceError::TooPrecise));
        assert_eq!(parse("1000000.1"), Err(CreditPriceError::TooLarge));
    }
}
