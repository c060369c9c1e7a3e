describe("catalogue", () => {
  beforeEach(() => cy.visit("/"));

  it("shows every article with its price", () => {
    cy.get("[data-testid=catalogue][aria-busy=false] tr").should("have.length", 3);
    cy.get("[data-testid=product-lamp]").should("contain.text", "49.00");
  });

  it("has a title and one main heading", () => {
    cy.title().should("equal", "The shop");
    cy.get("h1").should("have.length", 1).and("have.text", "The shop");
  });
});
