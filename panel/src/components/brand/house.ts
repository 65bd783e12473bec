export const HOUSE_COLOUR = "#3b4cca";
/** Another one, so that nobody takes the platform's panel for a project's. */
export const PLATFORM_COLOUR = "#0f766e";
