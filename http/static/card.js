/* What can be said about a card by looking at what was typed. Nothing leaves this file. */
const BRANDS = [
  ["Visa", /^4/],
  ["Mastercard", /^(5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/],
  ["American Express", /^3[47]/],
  ["Diners Club", /^(30|36|38|39)/],
  ["JCB", /^35/],
  ["RuPay", /^(508|60(?!11)|65[23]|81|82)/],
  ["Discover", /^(6011|64|65)/],
];
const LENGTHS = { "American Express": 4 };

export const digitsOf = (text) => text.replace(/[\s-]/g, "");

export const brandOf = (number) => BRANDS.find(([, begins]) => begins.test(number))?.[0] ?? "";

export function luhn(number) {
  const sum = [...number].reverse().reduce((total, digit, place) => {
    const value = Number(digit) * (place % 2 ? 2 : 1);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return sum % 10 === 0;
}

export function numberError(text) {
  const number = digitsOf(text);
  if (!number) return "Enter your card number.";
  if (!/^\d{13,19}$/.test(number)) return "A card number has 13 to 19 digits. Please check it.";
  return luhn(number) ? "" : "This is not a card number: a digit is wrong. Please check it.";
}

export function expiryOf(text) {
  const found = /^\s*(\d{1,2})\s*[/ -]?\s*(\d{2}|\d{4})\s*$/.exec(text);
  if (!found) return null;
  const year = Number(found[2]);
  return { month: Number(found[1]), year: year < 100 ? 2000 + year : year };
}

export function expiryError(text, now = new Date()) {
  if (!text.trim()) return "Enter the expiry date.";
  const expiry = expiryOf(text);
  if (!expiry || expiry.month < 1 || expiry.month > 12) return "Enter month and year, such as 07 / 29.";
  const past = expiry.year * 12 + expiry.month < now.getFullYear() * 12 + now.getMonth() + 1;
  return past ? "This card has expired. Please use another one." : "";
}

export function cvcError(text, number) {
  if (!text.trim()) return "Enter the security code.";
  const length = LENGTHS[brandOf(digitsOf(number))] ?? 3;
  if (new RegExp(`^\\d{${length}}$`).test(text.trim())) return "";
  return `The security code has ${length} digits.`;
}

export function vpaError(text) {
  if (!text.trim()) return "Enter your UPI address.";
  return /^[^@\s]{1,255}@[^@\s]{1,64}$/.test(text.trim()) ? "" : "A UPI address looks like name@bank.";
}

/* Groups as they stand on the card, while it is typed. */
export function grouped(text) {
  const number = digitsOf(text).replace(/\D/g, "").slice(0, 19);
  const groups = /^3[47]/.test(number) ? /^(\d{0,4})(\d{0,6})(\d{0,5})/ : null;
  const parts = groups ? groups.exec(number).slice(1) : number.match(/.{1,4}/g) ?? [];
  return parts.filter(Boolean).join(" ");
}
