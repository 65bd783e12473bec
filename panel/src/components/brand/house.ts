export const HOUSE_COLOUR = "#3b4cca";
