/* React 18.3.1 as a module: npm has it as a script only. The two scripts beside this file are from
   the packages react and react-dom of the npm registry, unchanged. */
export const { createElement, useEffect, useRef } = window.React;
